"""One content block of a provider's stream, from its start to its stop, as neutral events."""

from typing import Any

import msgspec
from msgspec import Struct

from llm_gateway.chat.events import Event, PartBegin, PartDelta, PartEnd
from llm_gateway.chat.parts import AnyPart, Foreign, Text, Thinking, ToolCall
from llm_gateway.formats.anthropic.blocks import Block, parts_of
from llm_gateway.formats.anthropic.signatures import ORIGIN
from shared.errors import UpstreamBroken

_NO_INPUT = "{}"


class Delta(Struct, frozen=True):
    """Of a block, or of the message: those members that its kind has."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    citation: dict[str, Any] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class IncomingBlock:
    """`place` is that of its part; a block may become several parts, of which `places` are taken at its
    end.
    """

    def __init__(self, index: int, place: int, block: Block) -> None:
        """Raises Misread."""
        self.index = index
        self.places = 0
        self._place = place
        self._block = block
        self._part, *self._beyond = parts_of([block], "content_block")
        self._input: list[str] = []
        self._given = ""
        self._spoken = False
        self._citations: list[dict[str, Any]] = []
        if isinstance(self._part, ToolCall):
            self._given = self._part.arguments
            self._part = msgspec.structs.replace(self._part, arguments="")

    @property
    def held(self) -> bool:
        """Whether nothing can be said before its end: a block that only this wire knows goes on in one
        piece.
        """
        return isinstance(self._part, Foreign)

    def begin(self) -> list[Event]:
        return [] if self.held else [PartBegin(place=self._place, part=self._part)]

    def add(self, delta: Delta) -> list[Event]:
        """Raises UpstreamBroken for a delta of another kind than the block."""
        match delta.type, self._part:
            case "text_delta", Text():
                return self._said(delta.text)
            case "thinking_delta", Thinking():
                return self._said(delta.thinking)
            case "signature_delta", Thinking():
                return [PartDelta(place=self._place, signature=delta.signature)]
            case "input_json_delta", ToolCall():
                self._spoken = self._spoken or bool(delta.partial_json)
                return self._said(delta.partial_json)
            case "input_json_delta", Foreign():
                self._input.append(delta.partial_json)
            case "citations_delta", Text() if delta.citation is not None:
                self._citations.append(delta.citation)
            case (("text_delta" | "thinking_delta" | "signature_delta" | "input_json_delta"), _):
                raise UpstreamBroken(f"the provider's stream adds a {delta.type} to a block of another kind")
        return []

    def end(self) -> list[Event]:
        """Raises UpstreamBroken where what it has collected is nothing whole."""
        found: list[Event] = []
        if self.held:
            found += self._whole(self._completed())
        else:
            if isinstance(self._part, ToolCall) and not self._spoken:
                found += self._said(self._given or _NO_INPUT)
            found.append(PartEnd(place=self._place))
            self.places += 1
        beyond = list(self._beyond)
        if self._citations:
            beyond.append(Foreign(origin=ORIGIN, kind="text.citations", value={"citations": self._citations}))
        for part in beyond:
            found += self._whole(part)
        return found

    def _said(self, text: str) -> list[Event]:
        return [PartDelta(place=self._place, text=text)] if text else []

    def _whole(self, part: AnyPart) -> list[Event]:
        place = self._place + self.places
        self.places += 1
        return [PartBegin(place=place, part=part), PartEnd(place=place)]

    def _completed(self) -> AnyPart:
        said = "".join(self._input)
        if not said:
            return self._part
        try:
            given = msgspec.json.decode(said)
        except (ValueError, RecursionError) as error:
            raise UpstreamBroken("the provider's stream cut off the input of a block", cause=error) from error
        return Foreign(origin=ORIGIN, kind=str(self._block["type"]), value={**self._block, "input": given})
