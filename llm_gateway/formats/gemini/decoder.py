"""A provider's answers as neutral events. A whole reply is a stream of one."""

import hashlib
import secrets
from datetime import datetime

import msgspec

from llm_gateway.chat.events import Begin, End, Event, PartBegin, PartDelta, PartEnd
from llm_gateway.chat.parts import AnyPart, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Stop
from llm_gateway.formats.gemini import answer, parts, usage
from llm_gateway.formats.gemini.answer import Answer, Candidate
from llm_gateway.formats.gemini.finish import stop_of
from llm_gateway.formats.gemini.turns import MADE_UP
from shared import sse
from shared.errors import UpstreamBroken
from shared.ledger.entry import Usage


class GeminiDecoder:
    """Every event is a whole answer that holds the next pieces; the last ones say why and how much."""

    def __init__(self) -> None:
        self._splitter = sse.SseSplitter()
        self._begun = False
        self._id = ""
        self._place = -1
        self._open: AnyPart | None = None
        self._calls = 0
        self._stop: Stop | None = None
        self._usage: Usage | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        return [
            found
            for event in self._splitter.feed(chunk)
            if (data := sse.data_of(event))
            for found in self.take(data)
        ]

    def take(self, data: bytes) -> list[Event]:
        """One answer. Raises UpstreamRefused, UpstreamBroken."""
        said = answer.read(data)
        out: list[Event] = []
        if not self._begun:
            self._begun = True
            self._id = said.response_id or secrets.token_hex(12)
            created = _seconds(said.create_time or "")
            out.append(Begin(id=self._id, model=said.model_version or "", created=created))
        self._usage = usage.read(said.usage_metadata) or self._usage
        for candidate in said.candidates or ():
            # More than one is never asked for.
            if not candidate.index:
                self._candidate(candidate, out)
        self._blocked(said)
        return out

    def end(self) -> list[Event]:
        out = [] if self._splitter.empty else self.feed(b"\n\n")
        if self._stop is None:
            raise UpstreamBroken("the provider's stream ended before it was complete")
        self._close(out)
        out.append(End(stop=self._stop, usage=self._usage))
        return out

    def _blocked(self, said: Answer) -> None:
        if said.prompt_feedback is not None and said.prompt_feedback.block_reason:
            self._stop = Stop.FILTERED

    def _candidate(self, candidate: Candidate, out: list[Event]) -> None:
        for fields in (candidate.content and candidate.content.parts) or ():
            try:
                found = parts.neutral(fields)
            except (ValueError, RecursionError) as error:
                raise answer.broken(error) from error
            for part in found:
                self._part(part, out)
        if candidate.finish_reason:
            self._stop = stop_of(candidate.finish_reason, called=self._calls > 0)

    def _part(self, part: AnyPart, out: list[Event]) -> None:
        if isinstance(part, ToolCall):
            self._call(part, out)
        elif isinstance(part, Text) or (isinstance(part, Thinking) and not part.redacted):
            self._piece(part, out)
        else:
            self._begin(part, out)
            self._close(out)

    def _piece(self, part: Text | Thinking, out: list[Event]) -> None:
        """Text and thoughts go on over several answers, until something else comes."""
        signature = part.signature if isinstance(part, Thinking) else ""
        if not isinstance(self._open, type(part)):
            if not (part.text or signature):
                return
            begun: AnyPart = Text() if isinstance(part, Text) else Thinking(origin=part.origin)
            self._begin(begun, out)
        if part.text or signature:
            out.append(PartDelta(place=self._place, text=part.text, signature=signature))
        if signature:
            self._close(out)

    def _call(self, call: ToolCall, out: list[Event]) -> None:
        self._calls += 1
        call = call if call.id else msgspec.structs.replace(call, id=self._made_up())
        self._begin(msgspec.structs.replace(call, arguments="", signature=""), out)
        out.append(PartDelta(place=self._place, text=call.arguments, signature=call.signature))
        self._close(out)

    def _begin(self, part: AnyPart, out: list[Event]) -> None:
        self._close(out)
        self._place += 1
        self._open = part
        out.append(PartBegin(place=self._place, part=part))

    def _close(self, out: list[Event]) -> None:
        if self._open is not None:
            out.append(PartEnd(place=self._place))
            self._open = None

    def _made_up(self) -> str:
        seed = f"{self._id} {self._calls}".encode()
        return MADE_UP + hashlib.blake2b(seed, digest_size=12).hexdigest()


def _seconds(created: str) -> int:
    try:
        return max(0, int(datetime.fromisoformat(created).timestamp()))
    except (ValueError, OverflowError, OSError):
        return 0
