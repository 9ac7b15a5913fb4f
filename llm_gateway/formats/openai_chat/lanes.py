"""Parts that a provider sends at the same time, brought into a row: the neutral form has one open at a time.

The first part that is open goes out as it comes; the others wait, with what came for them, until it has
ended.
"""

from collections.abc import Hashable

from llm_gateway.chat.events import Event, PartBegin, PartDelta, PartEnd
from llm_gateway.chat.parts import AnyPart


class _Lane:
    __slots__ = ("ended", "part", "signatures", "texts")

    def __init__(self, part: AnyPart) -> None:
        self.part = part
        self.texts: list[str] = []
        self.signatures: list[str] = []
        self.ended = False


class Lanes:
    """`begin`, `grow` and `end` a part by any key of the caller's; `take` what may go out now."""

    def __init__(self) -> None:
        self._lanes: dict[Hashable, _Lane] = {}
        self._out: list[Event] = []
        self._place = 0
        self._live = False

    def __contains__(self, key: Hashable) -> bool:
        return key in self._lanes

    @property
    def open(self) -> list[Hashable]:
        return [key for key, lane in self._lanes.items() if not lane.ended]

    def begin(self, key: Hashable, part: AnyPart) -> None:
        """A second part under a key that is still open ends the first."""
        if key in self._lanes:
            self.end(key)
        if key in self._lanes:
            # It has ended but still waits for its turn: its key is needed again.
            self._lanes = {(known if known != key else object()): lane for known, lane in self._lanes.items()}
        self._lanes[key] = _Lane(part)
        self._advance()

    def grow(self, key: Hashable, text: str = "", signature: str = "") -> None:
        lane = self._lanes[key]
        if self._live and next(iter(self._lanes)) == key:
            self._out.append(PartDelta(place=self._place, text=text, signature=signature))
        else:
            lane.texts.append(text)
            lane.signatures.append(signature)

    def end(self, key: Hashable) -> None:
        self._lanes[key].ended = True
        self._advance()

    def end_all(self) -> None:
        for lane in self._lanes.values():
            lane.ended = True
        self._advance()

    def take(self) -> list[Event]:
        out, self._out = self._out, []
        return out

    def _advance(self) -> None:
        while self._lanes:
            key, lane = next(iter(self._lanes.items()))
            if not self._live:
                self._open(lane)
            if not lane.ended:
                return
            self._out.append(PartEnd(place=self._place))
            self._place += 1
            self._live = False
            del self._lanes[key]

    def _open(self, lane: _Lane) -> None:
        self._live = True
        self._out.append(PartBegin(place=self._place, part=lane.part))
        text, signature = "".join(lane.texts), "".join(lane.signatures)
        if text or signature:
            self._out.append(PartDelta(place=self._place, text=text, signature=signature))
