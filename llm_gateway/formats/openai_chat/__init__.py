"""OpenAI chat completions, as its clients send them and as every OpenAI-compatible provider takes them.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from llm_gateway import members
from llm_gateway.ask import Ask, Span
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat
from llm_gateway.fields import ABSENT, FLAG, NAME, TOKENS, member
from llm_gateway.formats import Outbound
from llm_gateway.formats.openai_chat.answer import completion
from llm_gateway.formats.openai_chat.asked import chat_of
from llm_gateway.formats.openai_chat.decode import ChatDecoder, reply_of
from llm_gateway.formats.openai_chat.outbound import LimitName, outbound
from llm_gateway.formats.openai_chat.stream import OpenAIStream, read_reply
from llm_gateway.formats.openai_chat.writer import ChatWriter
from llm_gateway.guess import BYTES_PER_TOKEN, tokens_in
from shared.asgi import Headers
from shared.clock import Clock
from shared.dialects import Dialect
from shared.dialects.openai import OpenAI, rate_headers
from shared.errors import BadRequest
from shared.ledger.entry import Usage
from shared.limits.limiter import Lease

_USAGE_WISH = b'{"include_usage":true}'
_CHOICES = msgspec.json.Decoder(Annotated[int, Meta(ge=1, le=1024)] | None)
_OPTIONS = msgspec.json.Decoder(dict[str, Raw] | None)


class OpenAIChat:
    name = "openai_chat"
    paths: tuple[str, ...] = ("/v1/chat/completions",)
    dialect: Dialect = OpenAI()

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()

    def read(self, body: bytes, params: Mapping[str, str]) -> Ask:
        found, spans = members.read(body)
        if "model" not in found:
            raise BadRequest("you must provide a model parameter", data={"param": "model"})
        messages = bytes(found.get("messages", ABSENT))
        if not messages.startswith(b"["):
            raise BadRequest("messages must be a list of messages", data={"param": "messages"})
        stream = member(found, "stream", FLAG) or False
        options = member(found, "stream_options", _OPTIONS) or {}
        # Where both stand, it is the provider who chooses: the larger one is set aside.
        allowed = max(member(found, name, TOKENS) or 0 for name in ("max_completion_tokens", "max_tokens"))
        return Ask(
            model=member(found, "model", NAME),
            stream=stream,
            body=body,
            spans=spans,
            tokens_in=tokens_in(messages) + len(memoryview(found.get("tools", ABSENT))) // BYTES_PER_TOKEN,
            tokens_out=allowed * (member(found, "n", _CHOICES) or 1),
            wants_usage=stream and member(options, "include_usage", FLAG, "stream_options.") is True,
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

    def chat(self, ask: Ask) -> Chat:
        return chat_of(ask)

    def reply(self, reply: Reply, ask: Ask) -> bytes:
        return completion(reply, ask, self._clock)

    def writer(self, ask: Ask) -> ChatWriter:
        return ChatWriter(ask, self._clock)


class OpenAIChatWire:
    """`limit` is the provider's name for the longest answer. Without it, OpenAI's reasoning models, known by
    their names, get `max_completion_tokens` and all others `max_tokens`, which most compatible servers
    understand.
    """

    name = "openai_chat"
    stream_type = "text/event-stream"

    def __init__(self, limit: LimitName | None = None) -> None:
        self._limit = limit

    def request(self, chat: Chat, model: str) -> Outbound:
        return outbound(chat, model, self._limit)

    def reply(self, body: bytes) -> Reply:
        return reply_of(body)

    def decoder(self) -> ChatDecoder:
        return ChatDecoder()


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
