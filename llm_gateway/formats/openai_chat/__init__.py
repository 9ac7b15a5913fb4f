"""OpenAI chat completions, as its clients send them and as every OpenAI-compatible provider takes them.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw

from llm_gateway import members
from llm_gateway.chat import Ask, Span
from llm_gateway.formats.openai_chat.stream import OpenAIStream, read_reply
from shared.asgi import Headers
from shared.dialects import Dialect
from shared.dialects.openai import OpenAI, rate_headers
from shared.errors import BadRequest
from shared.ledger.entry import Usage
from shared.limits.limiter import Lease

_BYTES_PER_TOKEN = 4
# An image or a recording in base64 is not text: it counts as a round number of tokens, not by its bytes.
_ATTACHMENTS = (b";base64,", b'"data":"')
_ATTACHMENT_BYTES, _ATTACHMENT_TOKENS, _ATTACHMENTS_MAX = 4_096, 1_500, 256
_USAGE_WISH = b'{"include_usage":true}'
_ABSENT = Raw(b"null")

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Tokens = Annotated[int, Meta(ge=0, le=2**31 - 1)] | None
Choices = Annotated[int, Meta(ge=1, le=1024)] | None
_NAME, _FLAG, _TOKENS, _CHOICES, _OPTIONS = (
    msgspec.json.Decoder(kind) for kind in (Name, bool | None, Tokens, Choices, dict[str, Raw] | None)
)


class OpenAIChat:
    name = "openai_chat"
    path = "/v1/chat/completions"
    dialect: Dialect = OpenAI()

    def read(self, body: bytes) -> Ask:
        found, spans = members.read(body)
        if "model" not in found:
            raise BadRequest("you must provide a model parameter", data={"param": "model"})
        messages = bytes(found.get("messages", _ABSENT))
        if not messages.startswith(b"["):
            raise BadRequest("messages must be a list of messages", data={"param": "messages"})
        stream = _member(found, "stream", _FLAG) or False
        options = _member(found, "stream_options", _OPTIONS) or {}
        # Where both stand, it is the provider who chooses: the larger one is set aside.
        allowed = max(_member(found, name, _TOKENS) or 0 for name in ("max_completion_tokens", "max_tokens"))
        return Ask(
            model=_member(found, "model", _NAME),
            stream=stream,
            body=body,
            spans=spans,
            tokens_in=_tokens(messages) + len(memoryview(found.get("tools", _ABSENT))) // _BYTES_PER_TOKEN,
            tokens_out=allowed * (_member(found, "n", _CHOICES) or 1),
            wants_usage=stream and _member(options, "include_usage", _FLAG, "stream_options.") is True,
        )

    def body_for(self, ask: Ask, model: str, *, count: bool) -> bytes:
        changes: dict[Span, bytes] = {}
        if model != ask.model:
            changes[ask.spans["model"]] = msgspec.json.encode(model)
        if count and ask.stream and not ask.wants_usage:
            changes.update(_with_usage(ask))
        return members.spliced(ask.body, changes) if changes else ask.body

    def usage_of(self, body: bytes) -> Usage | None:
        return read_reply(body)

    def reader(self, ask: Ask) -> OpenAIStream:
        return OpenAIStream(show_usage=ask.wants_usage)

    def rate_headers(self, lease: Lease) -> Headers:
        return rate_headers(lease)


def _with_usage(ask: Ask) -> dict[Span, bytes]:
    """The change that makes a provider count: `include_usage` set in the caller's options, or options of our
    own.
    """
    place = ask.spans.get("stream_options")
    if place is None:
        start = ask.spans["model"][1]
        return {(start, start): b',"stream_options":' + _USAGE_WISH}
    options = _OPTIONS.decode(ask.body[slice(*place)]) or {}
    return {place: msgspec.json.encode({**options, "include_usage": True})}


def _member(found: dict[str, Raw], name: str, decoder: msgspec.json.Decoder[Any], path: str = "") -> Any:
    """A member's value, None where it is absent. Raises BadRequest naming it when it has the wrong type."""
    raw = found.get(name)
    if raw is None:
        return None
    try:
        return decoder.decode(raw)
    except (ValueError, RecursionError) as error:
        what = str(error)[:200].replace(" - at `$`", "")
        raise BadRequest(
            f"{path}{name}: {what[:1].lower()}{what[1:]}", cause=error, data={"param": path + name}
        ) from error


def _tokens(messages: bytes) -> int:
    count = size = 0
    if len(messages) > _ATTACHMENT_BYTES:
        for marker in _ATTACHMENTS:
            found = _attached(messages, marker)
            count, size = count + len(found), size + sum(found)
    return max(0, len(messages) - size) // _BYTES_PER_TOKEN + count * _ATTACHMENT_TOKENS


def _attached(messages: bytes, marker: bytes) -> list[int]:
    """The sizes of the long strings that begin at `marker`; only so many, for this must stay cheap."""
    sizes: list[int] = []
    at = messages.find(marker)
    for _ in range(_ATTACHMENTS_MAX):
        if at < 0:
            break
        end = messages.find(b'"', at + len(marker))
        if end - at >= _ATTACHMENT_BYTES:
            sizes.append(end - at)
        at = messages.find(marker, at + len(marker))
    return sizes
