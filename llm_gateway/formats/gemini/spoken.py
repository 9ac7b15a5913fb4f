"""Neutral replies as a caller of Gemini's gets them, whole or in pieces."""

from typing import Any

import msgspec

from llm_gateway.chat.events import Begin, End, Event, PartBegin, PartDelta, PartEnd
from llm_gateway.chat.parts import AnyPart, Refusal, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.formats.gemini import usage, written
from llm_gateway.formats.gemini.finish import reason_of
from shared import sse

Fields = dict[str, Any]
_MALFORMED = "MALFORMED_FUNCTION_CALL"
_PAUSED = "the model has paused: send its answer back to let it go on"


def whole(reply: Reply) -> bytes:
    found, malformed = [], False
    for part in reply.parts:
        try:
            fields = written.part(part)
        except (ValueError, RecursionError):
            malformed = True
            continue
        if fields is not None:
            found.append(fields)
    end = End(stop=reply.stop, usage=reply.usage)
    return msgspec.json.encode(_ended(end, found, malformed=malformed, said=bool(found)) | _head(reply))


class GeminiWriter:
    """Text goes out as it comes; of thoughts the last piece waits, because the signature must not stand
    alone: clients throw empty parts away. A call goes out whole, which is how Gemini does it.
    """

    def __init__(self) -> None:
        self._head: Fields = {}
        self._open: AnyPart | None = None
        self._held: list[str] = []
        self._signature = ""
        self._said = False
        self._malformed = False

    def write(self, event: Event) -> bytes:
        if isinstance(event, PartDelta):
            return self._delta(event)
        if isinstance(event, PartBegin):
            self._held, self._signature = [], ""
            self._open, known = _divided(event.part)
            return self._delta(known)
        if isinstance(event, PartEnd):
            return self._close()
        if isinstance(event, End):
            return self._event(_ended(event, [], malformed=self._malformed, said=self._said))
        self._head = _head(event)
        return b""

    def _delta(self, event: PartDelta) -> bytes:
        if isinstance(self._open, Text | Refusal):
            return self._part({"text": event.text}) if event.text else b""
        self._signature += event.signature
        if not event.text:
            return b""
        gone = b""
        if isinstance(self._open, Thinking) and self._held:
            gone = self._part({"text": self._held.pop(), "thought": True})
        self._held.append(event.text)
        return gone

    def _close(self) -> bytes:
        part, text = self._open, "".join(self._held)
        if isinstance(part, Thinking) and not part.redacted:
            part = msgspec.structs.replace(part, text=text, signature=self._signature)
        elif isinstance(part, ToolCall):
            part = msgspec.structs.replace(part, arguments=text, signature=self._signature)
        if part is None or _empty(part):
            return b""
        try:
            fields = written.part(part)
        except (ValueError, RecursionError):
            self._malformed = True
            return b""
        return self._part(fields) if fields is not None else b""

    def _part(self, fields: Fields) -> bytes:
        self._said = True
        return self._event({"candidates": [{"content": {"parts": [fields], "role": "model"}, "index": 0}]})

    def _event(self, fields: Fields) -> bytes:
        return sse.encode(msgspec.json.encode(fields | self._head))


def _divided(part: AnyPart) -> tuple[AnyPart, PartDelta]:
    """A part that has just begun, and what of its text is known already, which goes the way of all text."""
    if isinstance(part, Text | Refusal):
        return Text(), PartDelta(place=0, text=part.text)
    if isinstance(part, ToolCall):
        known = PartDelta(place=0, text=part.arguments, signature=part.signature)
        return msgspec.structs.replace(part, arguments="", signature=""), known
    if isinstance(part, Thinking) and not part.redacted:
        known = PartDelta(place=0, text=part.text, signature=part.signature)
        return msgspec.structs.replace(part, text="", signature=""), known
    return part, PartDelta(place=0)


def _empty(part: AnyPart) -> bool:
    return isinstance(part, Text) or (isinstance(part, Thinking) and not (part.text or part.signature))


def _ended(end: End, parts: list[Fields], *, malformed: bool, said: bool) -> Fields:
    """The answer that ends one. Where a filter has left nothing at all it was the prompt that was blocked.

    `malformed`: a call was left out because its arguments are no object; where they were only cut off, the
    reason for that says it.
    """
    counted = {"usageMetadata": usage.write(end.usage)} if end.usage is not None else {}
    if end.stop is Stop.FILTERED and not said:
        return {"promptFeedback": {"blockReason": "OTHER"}, **counted}
    reason = _MALFORMED if malformed and end.stop is not Stop.LENGTH else reason_of(end.stop)
    candidate: Fields = {
        "content": {"parts": parts or [{"text": ""}], "role": "model"},
        "finishReason": reason,
        "index": 0,
    }
    if end.stop is Stop.PAUSE:
        candidate["finishMessage"] = _PAUSED
    return {"candidates": [candidate], **counted}


def _head(begun: Begin | Reply) -> Fields:
    return {"modelVersion": begun.model, "responseId": begun.id}
