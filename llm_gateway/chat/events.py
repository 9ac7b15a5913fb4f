"""A neutral reply in pieces: what a stream says, and how a reply and its pieces become each other.

The order is Begin, then for each part PartBegin, its PartDeltas and PartEnd, then End. Only one part is open
at a time and places count up from 0. A decoder makes that so, a writer may rely on it.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from llm_gateway.chat.parts import AnyPart, Refusal, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from shared.ledger.entry import Usage


class Begin(Struct, frozen=True, kw_only=True, tag=True):
    """`usage` where the provider counts the input at once."""

    id: str
    model: str
    created: int = 0
    usage: Usage | None = None


class PartBegin(Struct, frozen=True, kw_only=True, tag=True):
    """`part` is what is known at its beginning: a call's id and name, and usually nothing of its text."""

    place: int
    part: AnyPart


class PartDelta(Struct, frozen=True, kw_only=True, tag=True):
    """`text` goes to the end of the part's text or arguments, `signature` to the end of its signature."""

    place: int
    text: str = ""
    signature: str = ""


class PartEnd(Struct, frozen=True, kw_only=True, tag=True):
    place: int


class End(Struct, frozen=True, kw_only=True, tag=True):
    """`items` as in Reply."""

    stop: Stop
    stop_sequence: str = ""
    usage: Usage | None = None
    items: tuple[str, ...] = ()


Event = Begin | PartBegin | PartDelta | PartEnd | End


# A stream may have no end. In characters; a part costs something too.
_MOST, _PART_SIZE = 16_777_216, 256


class Collector:
    """Puts a stream together again. `reply` is complete once an End has been added, unless more was said than
    anybody would keep.
    """

    def __init__(self) -> None:
        self._begin = Begin(id="", model="")
        self._parts: list[AnyPart] = []
        self._texts: list[str] = []
        self._signatures: list[str] = []
        self._end: End | None = None
        self._room = _MOST

    def add(self, event: Event) -> None:
        if self._room < 0:
            return
        if isinstance(event, PartDelta):
            self._room -= len(event.text) + len(event.signature)
            self._texts.append(event.text)
            self._signatures.append(event.signature)
        elif isinstance(event, PartBegin):
            self._room -= _PART_SIZE
            self._parts.append(event.part)
        elif isinstance(event, PartEnd):
            self._close()
        elif isinstance(event, Begin):
            self._begin = event
        else:
            self._end = event

    @property
    def complete(self) -> bool:
        return self._end is not None and self._room >= 0

    @property
    def reply(self) -> Reply:
        """What has come until now; of a stream that was cut, its ended parts."""
        end = self._end or End(stop=Stop.LENGTH)
        return Reply(
            id=self._begin.id,
            model=self._begin.model,
            created=self._begin.created,
            parts=tuple(self._parts),
            stop=end.stop,
            stop_sequence=end.stop_sequence,
            usage=end.usage or self._begin.usage,
            items=end.items,
        )

    def _close(self) -> None:
        text, signature = "".join(self._texts), "".join(self._signatures)
        self._texts.clear()
        self._signatures.clear()
        if text or signature:
            self._parts[-1] = _grown(self._parts[-1], text, signature)


def events_of(reply: Reply) -> Iterator[Event]:
    """A whole reply as a stream would have brought it, each part in one piece."""
    yield Begin(id=reply.id, model=reply.model, created=reply.created)
    for place, part in enumerate(reply.parts):
        begun, delta = _divided(place, part)
        yield PartBegin(place=place, part=begun)
        if delta is not None:
            yield delta
        yield PartEnd(place=place)
    yield End(stop=reply.stop, stop_sequence=reply.stop_sequence, usage=reply.usage, items=reply.items)


def _grown(part: AnyPart, text: str, signature: str) -> AnyPart:
    if isinstance(part, ToolCall):
        return msgspec.structs.replace(
            part, arguments=part.arguments + text, signature=part.signature + signature
        )
    if isinstance(part, Thinking):
        return msgspec.structs.replace(part, text=part.text + text, signature=part.signature + signature)
    if isinstance(part, Text | Refusal):
        return msgspec.structs.replace(part, text=part.text + text)
    return part


def _divided(place: int, part: AnyPart) -> tuple[AnyPart, PartDelta | None]:
    """A part's beginning and the piece that completes it."""
    if isinstance(part, ToolCall):
        begun: AnyPart = msgspec.structs.replace(part, arguments="", signature="")
        return begun, PartDelta(place=place, text=part.arguments, signature=part.signature)
    if isinstance(part, Thinking):
        if part.redacted:
            return part, None
        begun = msgspec.structs.replace(part, text="", signature="")
        return begun, PartDelta(place=place, text=part.text, signature=part.signature)
    if isinstance(part, Text | Refusal):
        return msgspec.structs.replace(part, text=""), PartDelta(place=place, text=part.text)
    return part, None
