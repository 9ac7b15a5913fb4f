"""Neutral events as the named events of Anthropic's streams."""

import msgspec

from llm_gateway.chat.events import Begin, End, Event, PartBegin, PartDelta, PartEnd
from llm_gateway.chat.parts import AnyPart, Foreign, Refusal, Text, Thinking, ToolCall
from llm_gateway.formats.anthropic.blocks import Block
from llm_gateway.formats.anthropic.named import named
from llm_gateway.formats.anthropic.reply import block_of, head, seal_of
from llm_gateway.formats.anthropic.signatures import ORIGIN, sealed
from llm_gateway.formats.anthropic.stops import written_stop
from llm_gateway.formats.anthropic.usage import written
from shared.ledger.entry import Usage

_BYTES_PER_TOKEN = 4


class AnthropicWriter:
    """`model` and `tokens_in` stand in where the provider does not say.

    A block's stop waits for the next event: what belongs to the block may still follow it as a part of its
    own.
    """

    def __init__(self, *, model: str, tokens_in: int) -> None:
        self._model = model
        self._usage = Usage(tokens_in=tokens_in)
        self._said = 0
        self._index = -1
        self._part: AnyPart | None = None
        self._signature = ""
        self._unstopped = False
        self._refused = False

    def write(self, event: Event) -> bytes:
        match event:
            case PartDelta():
                return self._delta(event)
            case PartBegin():
                return self._begin(event.part)
            case PartEnd():
                return self._end()
            case Begin():
                return self._start(event)
        return self._stop(event)

    def _start(self, event: Begin) -> bytes:
        if event.usage is not None:
            self._usage = event.usage
        message = {
            **head(event.id, event.model or self._model),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": written(self._usage),
        }
        return named("message_start", message=message)

    def _begin(self, part: AnyPart) -> bytes:
        self._part, self._signature = part, ""
        if isinstance(part, Foreign) and "type" not in part.value:
            return self._beyond(part) if part.origin == ORIGIN and self._unstopped else b""
        block = block_of(_empty(part))
        if block is None:
            return self._stopped()
        self._refused = self._refused or isinstance(part, Refusal)
        out = self._stopped() + self._opened(block)
        if isinstance(part, ToolCall) and part.custom:
            out += self._added({"type": "input_json_delta", "partial_json": '{"input":"'})
        return (
            out + self._delta(_given(part)) if isinstance(part, Text | Refusal | Thinking | ToolCall) else out
        )

    def _delta(self, event: PartDelta) -> bytes:
        self._said += len(event.text)
        match self._part:
            case Text() | Refusal() if event.text:
                return self._added({"type": "text_delta", "text": event.text})
            case Thinking(redacted=False):
                self._signature += event.signature
                return self._added({"type": "thinking_delta", "thinking": event.text}) if event.text else b""
            case ToolCall():
                self._signature += event.signature
                text = _escaped(event.text) if self._part.custom else event.text
                return self._added({"type": "input_json_delta", "partial_json": text}) if text else b""
        return b""

    def _end(self) -> bytes:
        part, self._part = self._part, None
        match part:
            case Thinking(redacted=False):
                signature = sealed(part.origin, self._signature)
                return self._added({"type": "signature_delta", "signature": signature}) if signature else b""
            case ToolCall():
                out = self._added({"type": "input_json_delta", "partial_json": '"}'}) if part.custom else b""
                seal = seal_of(msgspec.structs.replace(part, signature=self._signature))
                return out + self._stopped() + self._opened(seal) if seal is not None else out
        return b""

    def _stop(self, event: End) -> bytes:
        usage = event.usage
        if usage is None:
            usage = msgspec.structs.replace(self._usage, tokens_out=self._said // _BYTES_PER_TOKEN)
        delta = {
            "stop_reason": written_stop(event.stop, refused=self._refused),
            "stop_sequence": event.stop_sequence or None,
        }
        told = named("message_delta", delta=delta, usage=written(usage))
        return self._stopped() + told + named("message_stop")

    def _beyond(self, part: Foreign) -> bytes:
        """What follows the block that is still open: only citations have an event of their own."""
        citations = part.value.get("citations")
        if not isinstance(citations, list):
            return b""
        return b"".join(
            self._added({"type": "citations_delta", "citation": citation}) for citation in citations
        )

    def _opened(self, block: Block) -> bytes:
        self._index += 1
        self._unstopped = True
        return named("content_block_start", index=self._index, content_block=block)

    def _added(self, delta: Block) -> bytes:
        return named("content_block_delta", index=self._index, delta=delta)

    def _stopped(self) -> bytes:
        was, self._unstopped = self._unstopped, False
        return named("content_block_stop", index=self._index) if was else b""


def _empty(part: AnyPart) -> AnyPart:
    """A part as it stands in the event that opens its block."""
    if isinstance(part, Text | Refusal):
        return msgspec.structs.replace(part, text="")
    if isinstance(part, Thinking) and not part.redacted:
        return msgspec.structs.replace(part, text="", signature="", origin=ORIGIN)
    if isinstance(part, ToolCall):
        return msgspec.structs.replace(part, arguments="", custom=False)
    return part


def _given(part: Text | Refusal | Thinking | ToolCall) -> PartDelta:
    """What a part holds at its beginning, as if it came after it."""
    if isinstance(part, ToolCall):
        return PartDelta(place=0, text=part.arguments, signature=part.signature)
    if isinstance(part, Thinking):
        return PartDelta(place=0, text=part.text, signature=part.signature)
    return PartDelta(place=0, text=part.text)


def _escaped(text: str) -> str:
    return msgspec.json.encode(text).decode()[1:-1]
