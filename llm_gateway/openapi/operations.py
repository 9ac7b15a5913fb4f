"""What may be done at each path, by the names of schemas in `schemas.json`. A path that is not here is
described as one that takes a POST with JSON.
"""

from typing import Literal

from msgspec import Struct

Dialect = Literal["openai", "anthropic", "gemini"]
Method = Literal["get", "post", "put", "patch", "delete"]
EVENTS, BYTES, TEXT = "text/event-stream", "application/octet-stream", "text/plain"


class Operation(Struct, frozen=True, kw_only=True):
    """`request` and `reply` name schemas; without `request` there is no body. `form`: it is multipart, unless
    it is the JSON that `either` names. `also` are other types that a reply may have, `query` parameters.
    """

    summary: str
    method: Method = "post"
    request: str = ""
    form: bool = False
    either: str = ""
    reply: str = ""
    also: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    dialect: Dialect = "openai"


def _listed(summary: str, reply: str, dialect: Dialect = "openai") -> Operation:
    return Operation(method="get", summary=summary, reply=reply, dialect=dialect)


_PAGE = ("after", "limit", "order")
_ANYTHING: tuple[Method, ...] = ("get", "post", "put", "patch", "delete")
ANY = (Operation(summary="Ask", request="Anything", reply="Anything"),)

# By path; Gemini's by the verb at their ends, Anthropic's below their prefix are those of the root.
OPERATIONS: dict[str, tuple[Operation, ...]] = {
    "/v1/chat/completions": (
        Operation(summary="Chat", request="ChatRequest", reply="ChatReply", also=(EVENTS,)),
    ),
    "/v1/responses": (
        Operation(summary="Respond", request="ResponsesRequest", reply="ResponsesReply", also=(EVENTS,)),
    ),
    "/v1/responses/{id}": (
        Operation(method="get", summary="A stored response", reply="ResponsesReply"),
        Operation(method="delete", summary="Delete a stored response", reply="Deleted"),
    ),
    "/v1/responses/{id}/input_items": (
        Operation(method="get", summary="What a response was given", reply="List", query=_PAGE),
    ),
    "/v1/responses/{id}/cancel": (Operation(summary="Cancel a response", reply="ResponsesReply"),),
    "/v1/messages": (
        Operation(
            summary="Message",
            request="MessagesRequest",
            reply="MessagesReply",
            also=(EVENTS,),
            dialect="anthropic",
        ),
    ),
    "/v1/messages/count_tokens": (
        Operation(
            summary="Count the tokens of a message",
            request="MessagesCountRequest",
            reply="MessagesCount",
            dialect="anthropic",
        ),
    ),
    ":generateContent": (
        Operation(
            summary="Generate content", request="ContentRequest", reply="ContentReply", dialect="gemini"
        ),
    ),
    ":streamGenerateContent": (
        Operation(
            summary="Stream content",
            request="ContentRequest",
            also=(EVENTS,),
            query=("alt",),
            dialect="gemini",
        ),
    ),
    ":countTokens": (
        Operation(
            summary="Count the tokens of content",
            request="ContentCountRequest",
            reply="ContentCount",
            dialect="gemini",
        ),
    ),
    ":embedContent": (
        Operation(
            summary="Embed", request="EmbedContentRequest", reply="EmbedContentReply", dialect="gemini"
        ),
    ),
    ":batchEmbedContents": (
        Operation(
            summary="Embed several",
            request="BatchEmbedContentsRequest",
            reply="BatchEmbedContentsReply",
            dialect="gemini",
        ),
    ),
    "/v1/embeddings": (Operation(summary="Embed", request="EmbeddingsRequest", reply="EmbeddingsReply"),),
    "/v1/rerank": (Operation(summary="Rank documents", request="RerankRequest", reply="RerankReply"),),
    "/v2/rerank": (Operation(summary="Rank documents", request="RerankRequest", reply="RerankReply"),),
    "/v1/moderations": (
        Operation(summary="Moderate", request="ModerationsRequest", reply="ModerationsReply"),
    ),
    "/v1/completions": (
        Operation(
            summary="Complete a prompt",
            request="CompletionsRequest",
            reply="CompletionsReply",
            also=(EVENTS,),
        ),
    ),
    "/v1/images/generations": (
        Operation(summary="Make images", request="ImagesRequest", reply="ImagesReply", also=(EVENTS,)),
    ),
    "/v1/images/edits": (
        Operation(
            summary="Change images",
            request="ImageEditForm",
            form=True,
            either="ImagesRequest",
            reply="ImagesReply",
            also=(EVENTS,),
        ),
    ),
    "/v1/images/variations": (
        Operation(summary="Vary an image", request="ImageVariationForm", form=True, reply="ImagesReply"),
    ),
    "/v1/audio/speech": (
        Operation(summary="Speak", request="SpeechRequest", also=("audio/*", BYTES, EVENTS)),
    ),
    "/v1/audio/transcriptions": (
        Operation(
            summary="Transcribe",
            request="TranscriptionForm",
            form=True,
            reply="TranscriptionReply",
            also=(TEXT, EVENTS),
        ),
    ),
    "/v1/audio/translations": (
        Operation(
            summary="Transcribe to English",
            request="TranscriptionForm",
            form=True,
            reply="TranscriptionReply",
            also=(TEXT,),
        ),
    ),
    "/v1/files": (
        Operation(summary="Send a file", request="FileForm", form=True, reply="File"),
        Operation(method="get", summary="Your files", reply="List", query=(*_PAGE, "purpose")),
    ),
    "/v1/files/{id}": (
        Operation(method="get", summary="A file's description", reply="File"),
        Operation(method="delete", summary="Delete a file", reply="Deleted"),
    ),
    "/v1/files/{id}/content": (Operation(method="get", summary="A file's content", also=(BYTES, "*/*")),),
    "/v1/batches": (
        Operation(summary="Start a batch", request="BatchRequest", reply="Batch"),
        Operation(method="get", summary="Your batches", reply="List", query=_PAGE),
    ),
    "/v1/batches/{id}": (Operation(method="get", summary="A batch", reply="Batch"),),
    "/v1/batches/{id}/cancel": (Operation(summary="Cancel a batch", reply="Batch"),),
    "/v1/passthrough/{provider}/{rest}": tuple(
        Operation(
            method=method,
            summary=f"{method.upper()} at a provider's own path",
            request="Anything" if method in ("post", "put", "patch") else "",
            also=("*/*",),
        )
        for method in _ANYTHING
    ),
    "/v1/models": (_listed("The models that you may use", "Models"),),
    "/v1/models/{name}": (_listed("One model", "Model"),),
    "/anthropic/v1/models": (_listed("The models that you may use", "AnthropicModels", "anthropic"),),
    "/anthropic/v1/models/{name}": (_listed("One model", "AnthropicModel", "anthropic"),),
    "/v1beta/models": (_listed("The models that you may use", "GeminiModels", "gemini"),),
    "/v1beta/models/{name}": (_listed("One model", "GeminiModel", "gemini"),),
    "/v1/openapi.json": (Operation(method="get", summary="This document", reply="Document"),),
}


def operations_at(path: str) -> tuple[Operation, ...]:
    """`path` without converters."""
    verb = path.rpartition(":")[2]
    if f":{verb}" in OPERATIONS:
        return OPERATIONS[f":{verb}"]
    if path not in OPERATIONS and path.startswith("/gemini/"):
        path = "/v1beta/" + path.split("/", 3)[3]
    return OPERATIONS.get(path) or OPERATIONS.get(path.removeprefix("/anthropic")) or ANY
