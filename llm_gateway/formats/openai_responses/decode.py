"""What providers that speak Responses answer, whole or streamed, in the neutral form."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from llm_gateway.chat.events import Begin, End, Event
from llm_gateway.chat.parts import AnyPart, Foreign, Refusal, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.formats.openai_chat.lanes import Lanes
from llm_gateway.formats.openai_chat.stream import refused_by
from llm_gateway.formats.openai_responses.content import parts_of
from llm_gateway.formats.openai_responses.items import call, thinking
from llm_gateway.formats.openai_responses.signature import ORIGIN
from llm_gateway.formats.openai_responses.stream import (
    ENDS,
    FAILURES,
    Answer,
    failure,
    read_answer,
    read_event,
    whole,
)
from llm_gateway.formats.openai_responses.usage import usage_of
from shared import sse
from shared.errors import BadRequest, UpstreamBroken

Json = dict[str, Any]
_CALLS = ("function_call", "custom_tool_call")


class _Incomplete(Struct, frozen=True):
    reason: str | None = None


class _Delta(Struct, frozen=True):
    """What events about items have in common."""

    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    delta: Any = None
    item: Json | None = None


_delta = msgspec.json.Decoder(_Delta).decode
_incomplete = msgspec.json.Decoder(_Incomplete | None).decode
_item = msgspec.json.Decoder(Json).decode


def reply_of(body: bytes) -> Reply:
    """Raises UpstreamRefused when it is an error, UpstreamBroken when it is no response."""
    answer = whole(body)
    if answer.status == "failed":
        raise refused_by(answer.error)
    if answer.status in ("queued", "in_progress"):
        raise UpstreamBroken("the provider has answered before its response was complete")
    items = [_read(_item, raw) for raw in answer.output or ()]
    parts = [part for item in items for part in _parts(item)]
    return Reply(
        id=answer.id or "",
        model=answer.model or "",
        created=int(answer.created_at or 0),
        parts=tuple(parts),
        stop=_stop(answer, called=any(isinstance(part, ToolCall) for part in parts)),
        usage=usage_of(answer.usage),
        items=tuple(name for item in items if (name := _name(item))),
    )


class ResponsesDecoder:
    """Events into neutral ones. Items that come side by side are told one after another."""

    def __init__(self) -> None:
        self._splitter = sse.SseSplitter()
        self._lanes = Lanes()
        self._begun = self._over = self._called = False
        self._grown: set[object] = set()
        self._items: list[str] = []

    def feed(self, chunk: bytes) -> list[Event]:
        found: list[Event] = []
        for event in self._splitter.feed(chunk):
            if self._over:
                break
            data = sse.data_of(event)
            if data and data != b"[DONE]":
                found += self._take(data)
        return found

    def end(self) -> list[Event]:
        found = [] if self._splitter.empty else self.feed(b"\n\n")
        if not self._over:
            raise UpstreamBroken("the provider's stream ended before it was complete")
        return found

    def _take(self, data: bytes) -> list[Event]:
        event = read_event(data)
        if event.type in FAILURES:
            raise failure(event, data)
        found = [] if self._begun else [self._begin(event.response)]
        if event.type in ENDS:
            return found + self._end(event.response)
        step = _STEPS.get(event.type)
        if step is not None:
            step(self, _read(_delta, data))
        return found + self._lanes.take()

    def _begin(self, raw: Raw) -> Begin:
        self._begun = True
        answer = read_answer(raw) if bytes(raw) else Answer()
        return Begin(id=answer.id or "", model=answer.model or "", created=int(answer.created_at or 0))

    def _end(self, raw: Raw) -> list[Event]:
        self._over = True
        answer = read_answer(raw)
        self._lanes.end_all()
        stop = _stop(answer, called=self._called)
        end = End(stop=stop, usage=usage_of(answer.usage), items=tuple(self._items))
        return [*self._lanes.take(), end]

    def _text(self, event: _Delta) -> None:
        self._grow((event.output_index, event.content_index), Text(), event.delta)

    def _refusal(self, event: _Delta) -> None:
        self._grow((event.output_index, event.content_index), Refusal(), event.delta)

    def _thinking(self, event: _Delta) -> None:
        self._grow(event.output_index, Thinking(origin=ORIGIN), event.delta)

    def _summary(self, event: _Delta) -> None:
        if event.summary_index and event.output_index in self._lanes.open:
            self._grow(event.output_index, Thinking(origin=ORIGIN), "\n\n")

    def _arguments(self, event: _Delta) -> None:
        if event.output_index in self._lanes.open:
            self._grow(event.output_index, Text(), event.delta)

    def _added(self, event: _Delta) -> None:
        item = event.item or {}
        if item.get("type") in _CALLS:
            begun = _made(call, item)
            self._called = True
            self._lanes.begin(event.output_index, msgspec.structs.replace(begun, arguments="", signature=""))

    def _done(self, event: _Delta) -> None:
        item, at = event.item or {}, event.output_index
        if name := _name(item):
            self._items.append(name)
        kind = item.get("type")
        if kind == "message":
            self._end_message(at, item)
        elif kind == "reasoning":
            self._end_open(at, _made(thinking, item))
        elif kind in _CALLS:
            self._called = True
            self._end_open(at, _made(call, item))
        else:
            for part in _parts(item):
                self._put(at, part)

    def _end_message(self, at: int, item: Json) -> None:
        for place, part in enumerate(_parts(item)):
            key = (at, place)
            if key in self._lanes.open:
                self._lanes.end(key)
            elif key not in self._grown:
                self._put(key, part)

    def _end_open(self, at: int, part: Thinking | ToolCall) -> None:
        """What is told of a part at its end: all of it, of which some may be known."""
        if at not in self._lanes.open:
            self._put(at, part)
            return
        text = part.text if isinstance(part, Thinking) else part.arguments
        rest = "" if at in self._grown else text
        if rest or part.signature:
            self._lanes.grow(at, rest, part.signature)
        self._lanes.end(at)

    def _grow(self, key: object, kind: AnyPart, text: object) -> None:
        if not isinstance(text, str):
            raise UpstreamBroken("the provider's stream holds a piece of text that is none")
        if not text:
            return
        if key not in self._lanes.open:
            self._lanes.begin(key, kind)
        self._grown.add(key)
        self._lanes.grow(key, text)

    def _put(self, key: object, part: AnyPart) -> None:
        self._lanes.begin(key, part)
        self._lanes.end(key)


_STEPS: dict[str, Callable[[ResponsesDecoder, _Delta], None]] = {
    "response.output_item.added": ResponsesDecoder._added,
    "response.output_text.delta": ResponsesDecoder._text,
    "response.refusal.delta": ResponsesDecoder._refusal,
    "response.reasoning_summary_part.added": ResponsesDecoder._summary,
    "response.reasoning_summary_text.delta": ResponsesDecoder._thinking,
    "response.reasoning_text.delta": ResponsesDecoder._thinking,
    "response.function_call_arguments.delta": ResponsesDecoder._arguments,
    "response.custom_tool_call_input.delta": ResponsesDecoder._arguments,
    "response.output_item.done": ResponsesDecoder._done,
}


def _stop(answer: Answer, *, called: bool) -> Stop:
    if answer.status == "incomplete":
        given = _read(_incomplete, answer.incomplete_details) if bytes(answer.incomplete_details) else None
        return Stop.FILTERED if given is not None and given.reason == "content_filter" else Stop.LENGTH
    return Stop.TOOLS if called else Stop.END


def _name(item: Json) -> str:
    name = item.get("id")
    return name if isinstance(name, str) else ""


def _parts(item: Json) -> list[AnyPart]:
    kind = item.get("type")
    if kind == "message":
        content = item.get("content")
        return _made(lambda given, path: parts_of(given, path), content) if isinstance(content, list) else []
    if kind == "reasoning":
        return [_made(thinking, item)]
    if kind in _CALLS:
        return [_made(call, item)]
    return [Foreign(origin=ORIGIN, kind=str(kind), value=item)]


def _made(make: Callable[[Any, str], Any], item: Any) -> Any:
    """What makes parts of a caller's items makes them of a provider's too; only the blame is another."""
    try:
        return make(item, "output")
    except (BadRequest, AttributeError) as error:
        raise UpstreamBroken("the provider's answer holds an item that is none", cause=error) from error


def _read(decode: Callable[[Any], Any], data: bytes | Raw) -> Any:
    try:
        return decode(data)
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken("the provider's answer is no response", cause=error) from error
