"""Anthropic's Messages as clients send them and as any provider that speaks them takes them.

Source: https://docs.anthropic.com/en/api/messages
"""

from collections.abc import Mapping

import msgspec

from llm_gateway import members
from llm_gateway.ask import Ask
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat
from llm_gateway.formats.anthropic.read import read_ask
from llm_gateway.formats.anthropic.reply import written_reply
from llm_gateway.formats.anthropic.request import read_chat
from llm_gateway.formats.anthropic.signatures import MARKED, ORIGIN
from llm_gateway.formats.anthropic.stream import AnthropicStream, read_reply
from llm_gateway.formats.anthropic.wire import AnthropicWire
from llm_gateway.formats.anthropic.writer import AnthropicWriter
from shared.asgi import Headers
from shared.clock import Clock
from shared.dialects import Dialect
from shared.dialects.anthropic import Anthropic as AnthropicErrors
from shared.ledger.entry import Usage
from shared.limits.limiter import Lease

__all__ = ["Anthropic", "AnthropicWire"]


class Anthropic:
    name = ORIGIN
    paths: tuple[str, ...] = ("/v1/messages", "/anthropic/v1/messages")

    def __init__(self, clock: Clock | None = None) -> None:
        self._errors = AnthropicErrors(clock)
        self.dialect: Dialect = self._errors

    def read(self, body: bytes, params: Mapping[str, str]) -> Ask:
        return read_ask(body)

    def rate_headers(self, lease: Lease) -> Headers:
        return self._errors.rate_headers(lease)

    def body_for(self, ask: Ask, model: str, *, count: bool) -> bytes:
        if MARKED in ask.body:
            # Another provider has had a turn: its signatures are none that an Anthropic model would take.
            return AnthropicWire().request(self.chat(ask), model).body
        if model == ask.model:
            return ask.body
        return members.spliced(ask.body, {ask.spans["model"]: msgspec.json.encode(model)})

    def usage_of(self, body: bytes) -> Usage | None:
        return read_reply(body)

    def reader(self, ask: Ask) -> AnthropicStream:
        return AnthropicStream()

    def chat(self, ask: Ask) -> Chat:
        return read_chat(ask)

    def reply(self, reply: Reply, ask: Ask) -> bytes:
        return written_reply(reply, ask.model, ask.tokens_in)

    def writer(self, ask: Ask) -> AnthropicWriter:
        return AnthropicWriter(model=ask.model, tokens_in=ask.tokens_in)
