"""Answers as clients of Responses know them, in pieces: events with names and numbers, item by item."""

from typing import Any

import msgspec

from llm_gateway.ask import Ask
from llm_gateway.chat.events import Begin, End, Event, PartBegin, PartDelta
from llm_gateway.chat.parts import AnyPart, Foreign, Image, Refusal, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Stop
from llm_gateway.formats.openai_chat.thought import signed
from llm_gateway.formats.openai_responses.references import item_id
from llm_gateway.formats.openai_responses.response import Response
from llm_gateway.formats.openai_responses.signature import ORIGIN, sealed
from shared import sse
from shared.clock import Clock

Json = dict[str, Any]


class ResponsesWriter:
    """`response` is the whole of it once an End has been written."""

    def __init__(self, ask: Ask, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._sequence = 0
        self._output: list[Json] = []
        self._message: Json | None = None
        self._item: Json = {}
        self._part: AnyPart = Text()
        self._text: list[str] = []
        self._signature: list[str] = []
        self._response = Response(ask, "", 0)
        self._usage = Begin(id="", model="").usage

    @property
    def response(self) -> bytes:
        return self._response.encoded()

    def write(self, event: Event) -> bytes:
        if isinstance(event, PartDelta):
            return self._delta(event.text, event.signature)
        if isinstance(event, PartBegin):
            return self._begin_part(event.part)
        if isinstance(event, Begin):
            return self._begin(event)
        if isinstance(event, End):
            return self._end(event)
        return self._end_part()

    def _begin(self, event: Begin) -> bytes:
        created = event.created or int(self._clock.now())
        self._response = Response(self._ask, event.model, created)
        self._usage = event.usage
        fields = self._response.fields
        return self._event("response.created", response=fields) + self._event(
            "response.in_progress", response=fields
        )

    def _end(self, event: End) -> bytes:
        cut = event.stop in (Stop.LENGTH, Stop.FILTERED)
        last = self._close_message("incomplete" if cut else "completed")
        self._response.end(event.stop, self._output, event.usage or self._usage)
        return last + self._event(f"response.{self._response.status}", response=self._response.fields)

    def _begin_part(self, part: AnyPart) -> bytes:
        self._part = part
        self._text.clear()
        self._signature.clear()
        if isinstance(part, Text | Refusal):
            out = self._open_message() + self._at("response.content_part.added", part=_content(part, ""))
            return out + (self._delta(part.text, "") if part.text else b"")
        out = self._close_message("completed")
        if isinstance(part, Thinking):
            out += self._open({"id": self._id("rs"), "type": "reasoning", "summary": []})
            return out + (self._delta(part.text, part.signature) if part.text or part.signature else b"")
        if isinstance(part, ToolCall):
            out += self._open(self._call(part, "", "in_progress"))
            return out + (self._delta(part.arguments, "") if part.arguments else b"")
        whole = _whole(part, self._id("ig"))
        return out + self._open(whole) + self._close(whole) if whole is not None else out

    def _delta(self, text: str, signature: str) -> bytes:
        if signature:
            self._signature.append(signature)
        if not text:
            return b""
        first = not self._text
        self._text.append(text)
        part = self._part
        if isinstance(part, Text):
            return self._at("response.output_text.delta", delta=text, logprobs=[])
        if isinstance(part, Refusal):
            return self._at("response.refusal.delta", delta=text)
        if isinstance(part, Thinking):
            added = self._summary("part.added", part=_summary("")) if first else b""
            return added + self._summary("text.delta", delta=text)
        return self._of_item(f"response.{_arguments(part)}.delta", delta=text)

    def _end_part(self) -> bytes:
        part, text = self._part, "".join(self._text)
        if isinstance(part, Text | Refusal):
            return self._end_content(part, text)
        if isinstance(part, Thinking):
            return self._end_thinking(part, text)
        if isinstance(part, ToolCall):
            field = "input" if part.custom else "arguments"
            done = self._of_item(f"response.{_arguments(part)}.done", **{field: text})
            mark = part.signature + "".join(self._signature)
            item = self._call(part, text, "completed")
            return done + self._close(item | signed(msgspec.structs.replace(part, signature=mark)))
        return b""

    def _end_content(self, part: Text | Refusal, text: str) -> bytes:
        content = _content(part, text)
        if isinstance(part, Text):
            done = self._at("response.output_text.done", text=text, logprobs=[])
        else:
            done = self._at("response.refusal.done", refusal=text)
        done += self._at("response.content_part.done", part=content)
        assert self._message is not None
        self._message["content"].append(content)
        return done

    def _end_thinking(self, part: Thinking, text: str) -> bytes:
        done = b""
        if text:
            done = self._summary("text.done", text=text) + self._summary("part.done", part=_summary(text))
        item = self._item | {"summary": [_summary(text)] if text else []}
        content = sealed("".join(self._signature), part.origin, redacted=part.redacted)
        return done + self._close(item | ({"encrypted_content": content} if content else {}))

    def _open_message(self) -> bytes:
        """Texts that follow each other are one message."""
        if self._message is not None:
            return b""
        message: Json = {"id": self._id("msg"), "type": "message", "role": "assistant", "content": []}
        out = self._open(message | {"status": "in_progress"})
        self._message = message
        return out

    def _close_message(self, status: str) -> bytes:
        message, self._message = self._message, None
        return self._close(message | {"status": status}) if message is not None else b""

    def _open(self, item: Json) -> bytes:
        self._item = item
        return self._event("response.output_item.added", output_index=len(self._output), item=item)

    def _close(self, item: Json) -> bytes:
        out = self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        return out

    def _call(self, part: ToolCall, text: str, status: str) -> Json:
        # The same place has the same id, so that its beginning and its end are about the same item.
        if part.custom:
            named: Json = {"id": self._id("ctc"), "type": "custom_tool_call", "input": text}
        else:
            named = {"id": self._id("fc"), "type": "function_call", "arguments": text}
        return named | {"call_id": part.id, "name": part.name, "status": status}

    def _id(self, kind: str) -> str:
        """Of the item that comes next."""
        return item_id(self._ask.id, kind, len(self._output))

    def _at(self, kind: str, **fields: Any) -> bytes:
        assert self._message is not None
        place = len(self._message["content"])
        return self._of_item(kind, content_index=place, **fields)

    def _summary(self, kind: str, **fields: Any) -> bytes:
        return self._of_item(f"response.reasoning_summary_{kind}", summary_index=0, **fields)

    def _of_item(self, kind: str, **fields: Any) -> bytes:
        return self._event(kind, item_id=self._item["id"], output_index=len(self._output), **fields)

    def _event(self, kind: str, **fields: Any) -> bytes:
        data = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return sse.encode(msgspec.json.encode(data), kind)


def _content(part: Text | Refusal, text: str) -> Json:
    if isinstance(part, Text):
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "refusal", "refusal": text}


def _summary(text: str) -> Json:
    return {"type": "summary_text", "text": text}


def _arguments(part: AnyPart) -> str:
    custom = isinstance(part, ToolCall) and part.custom
    return "custom_tool_call_input" if custom else "function_call_arguments"


def _whole(part: AnyPart, id: str) -> Json | None:
    """An item that comes in one piece; None for what clients of this format have no words for."""
    if isinstance(part, Foreign) and part.origin == ORIGIN:
        return part.value
    if isinstance(part, Image) and part.data:
        return {"id": id, "type": "image_generation_call", "status": "completed", "result": part.data}
    return None
