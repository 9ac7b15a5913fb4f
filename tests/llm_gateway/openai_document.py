"""OpenAI's API as its clients know it, as far as it is served here: what a call must have, and what may be
relied on in an answer. Written after the API's reference, not after this gateway.

Source: https://platform.openai.com/docs/api-reference
"""

from typing import Any

Json = dict[str, Any]

STRING: Json = {"type": "string"}
NAME: Json = {"type": "string", "minLength": 1, "maxLength": 64}
INTEGER: Json = {"type": "integer"}
COUNT: Json = {"type": "integer", "minimum": 0}
FLAG: Json = {"type": "boolean"}


def thing(required: str, **properties: Json) -> Json:
    """An answer: it may hold more than it must."""
    return {"type": "object", "required": required.split(), "properties": properties}


def asked(required: str, **properties: Json) -> Json:
    """A request: nothing unheard-of in it."""
    return thing(required, **properties) | {"additionalProperties": False}


def many(items: Json, least: int = 0) -> Json:
    return {"type": "array", "items": items, "minItems": least, "maxItems": least + 2}


def one_of(*schemas: Json) -> Json:
    return {"anyOf": list(schemas)}


def words(*values: str) -> Json:
    return {"enum": list(values)}


def maybe(schema: Json) -> Json:
    return one_of(schema, {"type": "null"})


ERROR = thing(
    "error",
    error=thing(
        "message type param code", message=STRING, type=STRING, param=maybe(STRING), code=maybe(STRING)
    ),
)
USAGE = thing("prompt_tokens completion_tokens total_tokens", prompt_tokens=COUNT, completion_tokens=COUNT)
FUNCTION = asked("name", name=NAME, description=STRING, strict=FLAG)
MESSAGE = one_of(
    asked("role content", role=words("system", "developer", "user"), content=STRING),
    asked(
        "role content",
        role=words("user"),
        content=many(asked("type text", type=words("text"), text=STRING), 1),
    ),
    asked("role content", role=words("assistant"), content=STRING),
)
CHAT = asked(
    "model messages",
    model=NAME,
    messages=many(MESSAGE, 1),
    stream=FLAG,
    temperature={"type": "number", "minimum": 0, "maximum": 2},
    max_completion_tokens={"type": "integer", "minimum": 1, "maximum": 100_000},
    stop=one_of(STRING, many(STRING)),
    tools=many(asked("type function", type=words("function"), function=FUNCTION)),
    response_format=asked("type", type=words("text", "json_object")),
    logprobs=FLAG,
)
COMPLETION = thing(
    "id object created model choices",
    id=STRING,
    object=words("chat.completion"),
    created=INTEGER,
    model=STRING,
    choices=many(
        thing(
            "index message finish_reason",
            index=INTEGER,
            message=thing("role content", role=words("assistant"), content=maybe(STRING)),
            finish_reason=words("stop", "length", "tool_calls", "content_filter"),
        )
    ),
    usage=USAGE,
)
RESPONSES = asked(
    "model input",
    model=NAME,
    input=one_of(STRING, many(asked("role content", role=words("user", "system"), content=STRING), 1)),
    instructions=STRING,
    stream=FLAG,
    store=FLAG,
    max_output_tokens={"type": "integer", "minimum": 16, "maximum": 100_000},
    metadata={"type": "object", "additionalProperties": STRING, "maxProperties": 2},
)
RESPONSE = thing(
    "id object created_at status model output parallel_tool_calls tool_choice tools",
    id=STRING,
    object=words("response"),
    created_at={"type": "number"},
    status=words("completed", "incomplete"),
    output=many(thing("id type", id=STRING, type=STRING)),
    usage=thing("input_tokens output_tokens total_tokens", input_tokens=COUNT, output_tokens=COUNT),
)
EMBEDDINGS = asked(
    "model input",
    model=NAME,
    input=one_of(STRING, many(STRING, 1), many(COUNT, 1), many(many(COUNT, 1), 1)),
    encoding_format=words("float", "base64"),
)
VECTORS = thing(
    "object data model usage",
    object=words("list"),
    data={
        "type": "array",
        "items": thing(
            "object index embedding",
            object=words("embedding"),
            embedding=one_of(STRING, {"type": "array", "items": {"type": "number"}}),
        ),
    },
    usage=thing("prompt_tokens total_tokens"),
)
MODEL = thing(
    "id object created owned_by", id=STRING, object=words("model"), created=INTEGER, owned_by=STRING
)
FILE = thing(
    "id object bytes created_at filename purpose",
    id=STRING,
    object=words("file"),
    bytes=COUNT,
    created_at=INTEGER,
    filename=STRING,
)
DELETED = thing("id object deleted", id=STRING, deleted={"const": True})
BINARY: Json = {"type": "string", "format": "binary"}


def listed(item: Json) -> Json:
    return thing("object data", object=words("list"), data={"type": "array", "items": item})


def operation(
    answer: Json | None, *, takes: Json | None = None, form: bool = False, also: str = "", query: bool = False
) -> Json:
    content: Json = {"application/json": {"schema": answer}} if answer is not None else {}
    if also:
        content[also] = {"schema": {}}
    failed = {"description": "no", "content": {"application/json": {"schema": ERROR}}}
    told: Json = {"responses": {"200": {"description": "yes", "content": content}, "4XX": failed}}
    if takes is not None:
        kind = "multipart/form-data" if form else "application/json"
        told["requestBody"] = {"required": True, "content": {kind: {"schema": takes}}}
    if query:
        limit = {"type": "integer", "minimum": 1, "maximum": 100}
        told["parameters"] = [
            {"name": "limit", "in": "query", "schema": limit},
            {"name": "order", "in": "query", "schema": words("asc", "desc")},
        ]
    return told


def one(**operations: Json) -> Json:
    """Operations on what has an id."""
    place = {"name": "id", "in": "path", "required": True, "schema": NAME}
    return {"parameters": [place], **operations}


EVENTS = "text/event-stream"
UPLOAD = asked("file purpose", file=BINARY, purpose=words("user_data", "assistants"))
SPEECH = asked("model input voice", model=NAME, input=STRING, voice=NAME, response_format=words("mp3", "wav"))
IMAGES = asked("model prompt", model=NAME, prompt=STRING, n={"type": "integer", "minimum": 1, "maximum": 10})
PROMPT = asked("model prompt", model=NAME, prompt=one_of(STRING, many(STRING, 1)), stream=FLAG, echo=FLAG)
MODERATED = thing("id model results", id=STRING, model=STRING, results=many(thing("flagged", flagged=FLAG)))

DOCUMENT: Json = {
    "openapi": "3.1.0",
    "info": {"title": "OpenAI", "version": "1"},
    "paths": {
        "/v1/chat/completions": {"post": operation(COMPLETION, takes=CHAT, also=EVENTS)},
        "/v1/responses": {"post": operation(RESPONSE, takes=RESPONSES, also=EVENTS)},
        "/v1/responses/{id}": one(get=operation(RESPONSE), delete=operation(DELETED)),
        "/v1/responses/{id}/input_items": one(get=operation(listed(thing("type")), query=True)),
        "/v1/embeddings": {"post": operation(VECTORS, takes=EMBEDDINGS)},
        "/v1/moderations": {
            "post": operation(
                MODERATED, takes=asked("input", model=NAME, input=one_of(STRING, many(STRING, 1)))
            )
        },
        "/v1/completions": {
            "post": operation(thing("id object created model choices"), takes=PROMPT, also=EVENTS)
        },
        "/v1/images/generations": {"post": operation(thing("created data", created=INTEGER), takes=IMAGES)},
        "/v1/audio/speech": {"post": operation(None, takes=SPEECH, also="audio/*")},
        "/v1/models": {"get": operation(listed(MODEL))},
        "/v1/models/{id}": one(get=operation(MODEL)),
        "/v1/files": {
            "get": operation(listed(FILE), query=True),
            "post": operation(FILE, takes=UPLOAD, form=True),
        },
        "/v1/files/{id}": one(get=operation(FILE), delete=operation(DELETED)),
        "/v1/files/{id}/content": one(get=operation(None, also="application/octet-stream")),
        "/v1/batches": {"get": operation(listed(thing("id object")), query=True)},
        "/v1/batches/{id}": one(get=operation(thing("id object status endpoint input_file_id"))),
    },
}
