"""Converse's stream as neutral events.

Only calls and images announce themselves; text and thoughts begin with their first piece. What cannot be
shown in pieces (images, redacted thoughts) is held back until it is whole.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct, field

from llm_gateway.chat.events import Begin, End, Event, PartBegin, PartDelta, PartEnd
from llm_gateway.chat.parts import AnyPart, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Stop
from llm_gateway.formats.bedrock import reply
from llm_gateway.formats.bedrock.content import ORIGIN
from llm_gateway.formats.bedrock.errors import in_stream
from llm_gateway.formats.bedrock.eventstream import Message, Parser
from shared.errors import UpstreamBroken


class _ToolStart(Struct, frozen=True, rename="camel"):
    tool_use_id: str
    name: str


class _ImageStart(Struct, frozen=True):
    format: str


class _Start(Struct, frozen=True, rename="camel"):
    tool_use: _ToolStart | None = None
    image: _ImageStart | None = None


class _ToolPiece(Struct, frozen=True):
    input: str = ""


class _ThinkingPiece(Struct, frozen=True, rename="camel"):
    text: str = ""
    signature: str = ""
    redacted_content: str = ""


class _Delta(Struct, frozen=True, rename="camel"):
    text: str | None = None
    tool_use: _ToolPiece | None = None
    reasoning_content: _ThinkingPiece | None = None
    image: dict[str, Any] | None = None


class _Event(Struct, frozen=True, rename="camel"):
    """Every member of every event: which one it is says a header."""

    content_block_index: int = -1
    start: _Start = _Start()
    delta: _Delta = _Delta()
    stop_reason: str = ""
    additional: reply.Beyond | None = field(default=None, name="additionalModelResponseFields")
    usage: reply.WireUsage | None = None


class _Held:
    """A part that goes out in one piece: an image's bytes, or thoughts that nobody may read."""

    def __init__(self, form: str = "") -> None:
        self.form = form
        self.data = ""

    def part(self) -> AnyPart:
        if self.form:
            return reply.image(self.form, self.data)
        return Thinking(signature=self.data, origin=ORIGIN, redacted=True)


class Decoder:
    def __init__(self) -> None:
        self._parser = Parser()
        self._begun = False
        self._index: int | None = None
        self._held: _Held | None = None
        self._place = -1
        self._stop: Stop | None = None
        self._sequence = ""
        self._ended = False

    def feed(self, chunk: bytes) -> list[Event]:
        found: list[Event] = []
        for message in self._parser.feed(chunk):
            found += self._read(message)
        return found

    def end(self) -> list[Event]:
        if self._ended:
            return []
        if self._stop is None or not self._parser.between:
            raise UpstreamBroken("the provider's stream ended before it was complete")
        return self._finish(None)

    def _read(self, message: Message) -> list[Event]:
        kind = message.headers.get(":message-type", "event")
        if kind == "exception":
            raise in_stream(message.headers.get(":exception-type", ""), message.payload)
        if kind == "error":
            said = message.headers.get(":error-message", "")
            raise in_stream(message.headers.get(":error-code", ""), msgspec.json.encode({"message": said}))
        step = _STEPS.get(message.headers.get(":event-type", ""))
        if step is None or self._ended:
            return []
        try:
            event = _decode(message.payload)
        except (ValueError, RecursionError) as error:
            raise UpstreamBroken(
                "the provider's stream holds something that is no event", cause=error
            ) from error
        return [*self._begin(), *step(self, event)]

    def _begin(self) -> list[Event]:
        if self._begun:
            return []
        self._begun = True
        return [Begin(id="", model="")]

    def _message_start(self, event: _Event) -> list[Event]:
        return []

    def _block_start(self, event: _Event) -> list[Event]:
        call, image = event.start.tool_use, event.start.image
        if image is not None:
            return self._hold(event.content_block_index, _Held(image.format))
        if call is not None:
            return self._open(event.content_block_index, ToolCall(id=call.tool_use_id, name=call.name))
        return []

    def _block_delta(self, event: _Event) -> list[Event]:
        delta, index = event.delta, event.content_block_index
        if delta.text is not None:
            return self._piece(index, Text(), delta.text)
        if delta.tool_use is not None:
            if index != self._index:
                raise UpstreamBroken("the provider's stream holds arguments of a call that was never begun")
            return self._piece(index, None, delta.tool_use.input)
        if delta.reasoning_content is not None:
            return self._thought(index, delta.reasoning_content)
        if delta.image is not None and self._held is not None:
            self._held.data += str(delta.image.get("source", {}).get("bytes", ""))
        return []

    def _thought(self, index: int, piece: _ThinkingPiece) -> list[Event]:
        if piece.redacted_content:
            opened = self._hold(index, _Held()) if index != self._index else []
            if self._held is not None:
                self._held.data += piece.redacted_content
            return opened
        return self._piece(index, Thinking(origin=ORIGIN), piece.text, piece.signature)

    def _block_stop(self, event: _Event) -> list[Event]:
        return self._close() if event.content_block_index == self._index else []

    def _message_stop(self, event: _Event) -> list[Event]:
        self._stop = reply.stop_of(event.stop_reason)
        self._sequence = (event.additional.stop_sequence or "") if event.additional else ""
        return self._close()

    def _metadata(self, event: _Event) -> list[Event]:
        return self._finish(event.usage) if self._stop is not None else []

    def _piece(self, index: int, part: AnyPart | None, text: str, signature: str = "") -> list[Event]:
        opened = self._open(index, part) if part is not None and index != self._index else []
        if not (text or signature):
            return opened
        return [*opened, PartDelta(place=self._place, text=text, signature=signature)]

    def _hold(self, index: int, held: _Held) -> list[Event]:
        closed = self._close()
        self._index, self._held = index, held
        return closed

    def _open(self, index: int, part: AnyPart) -> list[Event]:
        closed = self._close()
        self._index, self._place = index, self._place + 1
        return [*closed, PartBegin(place=self._place, part=part)]

    def _close(self) -> list[Event]:
        if self._index is None:
            return []
        self._index = None
        held, self._held = self._held, None
        if held is None:
            return [PartEnd(place=self._place)]
        self._place += 1
        return [PartBegin(place=self._place, part=held.part()), PartEnd(place=self._place)]

    def _finish(self, usage: reply.WireUsage | None) -> list[Event]:
        self._ended = True
        counted = usage.counted() if usage is not None else None
        return [
            *self._begin(),
            *self._close(),
            End(stop=self._stop or Stop.END, stop_sequence=self._sequence, usage=counted),
        ]


_decode = msgspec.json.Decoder(_Event).decode
_STEPS: dict[str, Callable[[Decoder, _Event], list[Event]]] = {
    "messageStart": Decoder._message_start,
    "contentBlockStart": Decoder._block_start,
    "contentBlockDelta": Decoder._block_delta,
    "contentBlockStop": Decoder._block_stop,
    "messageStop": Decoder._message_stop,
    "metadata": Decoder._metadata,
}
