"""OpenAI Responses, as its clients send them and as providers take them that speak it themselves.

Source: https://platform.openai.com/docs/api-reference/responses
"""

from collections.abc import Mapping

import msgspec

from llm_gateway import members
from llm_gateway.ask import Ask, Span
from llm_gateway.chat.events import events_of
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat
from llm_gateway.fields import ABSENT, FLAG, NAME, TOKENS, member
from llm_gateway.formats import Outbound
from llm_gateway.formats.openai_responses.asked import chat_of
from llm_gateway.formats.openai_responses.decode import ResponsesDecoder, reply_of
from llm_gateway.formats.openai_responses.dialect import ResponsesDialect
from llm_gateway.formats.openai_responses.outbound import outbound
from llm_gateway.formats.openai_responses.references import OURS
from llm_gateway.formats.openai_responses.refused import refuse
from llm_gateway.formats.openai_responses.stream import ResponsesStream, whole
from llm_gateway.formats.openai_responses.usage import usage_of
from llm_gateway.formats.openai_responses.writer import ResponsesWriter
from llm_gateway.guess import BYTES_PER_TOKEN, tokens_in
from shared.asgi import Headers
from shared.clock import Clock
from shared.dialects import Dialect
from shared.dialects.openai import rate_headers
from shared.errors import BadRequest
from shared.ledger.entry import Usage, new_id
from shared.limits.limiter import Lease

# What may stand in a request and is kept by this gateway whatever the provider knows of it.
FULFILLED = frozenset(("extra.store",))


class OpenAIResponses:
    """`remote_tools`: callers may bring MCP servers and connectors, which providers then call with what
    callers give them.
    """

    name = "openai_responses"
    paths: tuple[str, ...] = ("/v1/responses",)
    dialect: Dialect = ResponsesDialect()

    def __init__(self, *, remote_tools: bool = False, clock: Clock | None = None) -> None:
        self._remote_tools = remote_tools
        self._clock = clock or Clock()

    def read(self, body: bytes, params: Mapping[str, str]) -> Ask:
        found, spans = members.read(body)
        if "model" not in found:
            raise BadRequest("you must provide a model parameter", data={"param": "model"})
        given = bytes(found.get("input", ABSENT))
        if not given.startswith((b'"', b"[")):
            raise BadRequest("input must be a text or a list of items", data={"param": "input"})
        refuse(found, remote_tools=self._remote_tools)
        others = sum(len(memoryview(found.get(name, ABSENT))) for name in ("tools", "instructions"))
        return Ask(
            model=member(found, "model", NAME),
            stream=member(found, "stream", FLAG) or False,
            body=body,
            spans=spans,
            tokens_in=tokens_in(given) + others // BYTES_PER_TOKEN,
            tokens_out=member(found, "max_output_tokens", TOKENS) or 0,
            wants_usage=True,
            id=OURS + new_id(),
        )

    def body_for(self, ask: Ask, model: str, *, count: bool) -> bytes:
        changes: dict[Span, bytes] = {}
        if model != ask.model:
            changes[ask.spans["model"]] = msgspec.json.encode(model)
        before = ask.spans.get("previous_response_id")
        if before is not None and ask.body[slice(*before)].startswith(f'"{OURS}'.encode()):
            # Ours: what it stands for is part of the input by now.
            changes[before] = b"null"
        return members.spliced(ask.body, changes) if changes else ask.body

    def usage_of(self, body: bytes) -> Usage | None:
        return usage_of(whole(body).usage)

    def reader(self, ask: Ask) -> ResponsesStream:
        return ResponsesStream()

    def rate_headers(self, lease: Lease) -> Headers:
        return rate_headers(lease)

    def chat(self, ask: Ask) -> Chat:
        return chat_of(ask)

    def reply(self, reply: Reply, ask: Ask) -> bytes:
        writer = self.writer(ask)
        for event in events_of(reply):
            writer.write(event)
        return writer.response

    def writer(self, ask: Ask) -> ResponsesWriter:
        return ResponsesWriter(ask, self._clock)


class OpenAIResponsesWire:
    name = "openai_responses"
    stream_type = "text/event-stream"

    def request(self, chat: Chat, model: str) -> Outbound:
        return outbound(chat, model)

    def reply(self, body: bytes) -> Reply:
        return reply_of(body)

    def decoder(self) -> ResponsesDecoder:
        return ResponsesDecoder()
