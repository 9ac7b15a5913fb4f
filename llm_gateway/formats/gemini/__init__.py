"""Gemini's generateContent, as its clients send it. Model and manner of reply stand in the path.

Source: https://ai.google.dev/api/generate-content
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from llm_gateway import members
from llm_gateway.ask import Ask
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat
from llm_gateway.formats.gemini import request, spoken
from llm_gateway.formats.gemini.case import camel, spelled
from llm_gateway.formats.gemini.contents import told
from llm_gateway.formats.gemini.stream import GeminiStream, read_reply
from llm_gateway.guess import tokens_in
from shared.asgi import Headers
from shared.dialects import Dialect
from shared.dialects.gemini import Gemini as GeminiDialect
from shared.dialects.gemini import rate_headers
from shared.errors import BadRequest
from shared.ledger.entry import Usage
from shared.limits.limiter import Lease

# The Gemini API's, and below them Vertex's, whose clients name a project or leave it to the key.
_PREFIXES = tuple(
    f"{mount}/{version}"
    for mount in ("", "/gemini")
    for version in (
        *("v1", "v1beta"),
        *(f"{version}/publishers/google" for version in ("v1", "v1beta1")),
        *(
            f"{version}/projects/{{project}}/locations/{{location}}/publishers/google"
            for version in ("v1", "v1beta1")
        ),
    )
)
# What a path captures under this name is answered by a stream.
_STREAMED = "streamed"
_COUNTED = ("contents", "systemInstruction", "tools")
_LONGEST_NAME = 256
_name = msgspec.json.Decoder(str).decode


class _Limits(Struct, frozen=True, rename="camel"):
    max_output_tokens: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    candidate_count: Annotated[int, Meta(ge=1, le=1024)] = 1


class Gemini:
    """Streams are server-sent events, which is `alt=sse`: without it Google would send one long list."""

    name = "gemini"
    # The verbs stand in full, so that the paths of OpenAI's models, which may hold a colon, are none of
    # these.
    paths = tuple(
        f"{prefix}/models/{call}"
        for prefix in _PREFIXES
        for call in ("{model:path}:generateContent", f"{{{_STREAMED}:path}}:streamGenerateContent")
    )
    dialect: Dialect = GeminiDialect()

    def read(self, body: bytes, params: Mapping[str, str]) -> Ask:
        stream = _STREAMED in params
        model = model_of(params[_STREAMED] if stream else params["model"])
        given, spans = members.read(body)
        found = _respelled(given)
        if not bytes(found.get("contents", Raw(b"null"))).startswith((b"[", b"{")):
            raise BadRequest("contents must be a list of contents", data={"param": "contents"})
        _same_model(found, model)
        limits = _limits(found.get("generationConfig"))
        return Ask(
            model=model,
            stream=stream,
            body=body,
            spans=spans,
            tokens_in=sum(tokens_in(bytes(found[name])) for name in _COUNTED if name in found),
            tokens_out=limits.max_output_tokens * limits.candidate_count,
            wants_usage=True,
        )

    def rate_headers(self, lease: Lease) -> Headers:
        return rate_headers(lease)

    def body_for(self, ask: Ask, model: str, *, count: bool) -> bytes:
        """The caller's bytes: the model is in the path. Where the body names it too, it names the
        provider's.
        """
        if "model" not in ask.spans or model == ask.model:
            return ask.body
        return members.spliced(ask.body, {ask.spans["model"]: msgspec.json.encode(f"models/{model}")})

    def usage_of(self, body: bytes) -> Usage | None:
        return read_reply(body)

    def reader(self, ask: Ask) -> GeminiStream:
        return GeminiStream()

    def chat(self, ask: Ask) -> Chat:
        return request.chat(ask.body, ask.model, stream=ask.stream)

    def reply(self, reply: Reply, ask: Ask) -> bytes:
        return spoken.whole(reply)

    def writer(self, ask: Ask) -> spoken.GeminiWriter:
        return spoken.GeminiWriter()


def model_of(captured: str) -> str:
    """Raises BadRequest where that can be no name of a model."""
    if not 0 < len(captured) <= _LONGEST_NAME:
        raise BadRequest(
            "the path must name a model: …/models/{model}:generateContent", data={"param": "model"}
        )
    return captured


def _respelled(given: dict[str, Raw]) -> dict[str, Raw]:
    found = {spelled(name): value for name, value in given.items()}
    if len(found) < len(given):
        raise BadRequest(
            "a member of the body stands twice, in two spellings: two readers could take two values"
        )
    return found


def _same_model(found: dict[str, Raw], model: str) -> None:
    """A body may repeat the model. Who reads it there must find the one that was decided about."""
    if "model" not in found:
        return
    try:
        named = _name(found["model"])
    except (ValueError, RecursionError):
        named = None
    if named not in (model, f"models/{model}"):
        raise BadRequest("model must be the one of the path, or be left out", data={"param": "model"})


def _limits(config: Raw | None) -> _Limits:
    if config is None or bytes(config) == b"null":
        return _Limits()
    try:
        return msgspec.convert(camel(msgspec.json.decode(config)), _Limits, strict=False)
    except (ValueError, RecursionError) as error:
        raise BadRequest(
            f"generationConfig: {told(error)}", cause=error, data={"param": "generationConfig"}
        ) from error
