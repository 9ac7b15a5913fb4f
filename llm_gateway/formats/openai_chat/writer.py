"""Answers as OpenAI's clients know them, in pieces: `chat.completion.chunk` objects and `[DONE]`."""

from typing import Any

import msgspec

from llm_gateway.ask import Ask
from llm_gateway.chat.events import Begin, End, Event, PartBegin, PartDelta
from llm_gateway.chat.parts import AnyPart, Image, Refusal, Text, Thinking, ToolCall
from llm_gateway.formats.openai_chat.answer import finish, image_said, is_older
from llm_gateway.formats.openai_chat.stream import DONE_EVENT
from llm_gateway.formats.openai_chat.thought import block, signed
from llm_gateway.formats.openai_chat.usage import usage_said
from shared import sse
from shared.clock import Clock
from shared.ledger.entry import Usage, new_id

Json = dict[str, Any]


class ChatWriter:
    def __init__(self, ask: Ask, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._older = is_older(ask)
        self._head: Json = {}
        self._part: AnyPart = Text()
        self._text: list[str] = []
        self._signature: list[str] = []
        self._calls = self._blocks = self._images = 0
        self._usage: Usage | None = None

    def write(self, event: Event) -> bytes:
        if isinstance(event, PartDelta):
            return self._delta(event)
        if isinstance(event, PartBegin):
            return self._begin_part(event.part)
        if isinstance(event, Begin):
            return self._begin(event)
        if isinstance(event, End):
            return self._end(event)
        return self._end_part()

    def _begin(self, event: Begin) -> bytes:
        self._head = {
            "id": event.id or f"chatcmpl-{new_id()}",
            "object": "chat.completion.chunk",
            "created": event.created or int(self._clock.now()),
            "model": event.model,
        }
        self._usage = event.usage
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def _begin_part(self, part: AnyPart) -> bytes:
        self._part = part
        self._text.clear()
        self._signature.clear()
        if isinstance(part, ToolCall):
            return self._call(part)
        if isinstance(part, Image):
            index, self._images = self._images, self._images + 1
            return self._chunk({"images": [{"index": index} | image_said(part)]})
        # What a part begins with counts like what comes after it.
        text = part.text if isinstance(part, Text | Refusal | Thinking) else ""
        mark = part.signature if isinstance(part, Thinking) else ""
        return self._delta(PartDelta(place=0, text=text, signature=mark)) if text or mark else b""

    def _delta(self, event: PartDelta) -> bytes:
        part = self._part
        if isinstance(part, Text):
            return self._chunk({"content": event.text})
        if isinstance(part, ToolCall):
            self._signature.append(event.signature)
            return self._arguments(event.text) if event.text else b""
        if isinstance(part, Thinking):
            self._text.append(event.text)
            self._signature.append(event.signature)
            return self._chunk({"reasoning_content": event.text}) if event.text else b""
        return self._chunk({"refusal": event.text}) if isinstance(part, Refusal) else b""

    def _end_part(self) -> bytes:
        """What is known of a part only now: its signature."""
        part, mark = self._part, "".join(self._signature)
        if isinstance(part, ToolCall) and not self._older:
            extra = signed(msgspec.structs.replace(part, signature=part.signature + mark))
            return self._arguments("", extra) if extra else b""
        if isinstance(part, Thinking):
            full = msgspec.structs.replace(part, text="".join(self._text), signature=mark)
            if (shown := block(full)) is not None:
                # The official client joins lists by the index of what they hold.
                index, self._blocks = self._blocks, self._blocks + 1
                return self._chunk({"thinking_blocks": [{"index": index} | shown]})
        return b""

    def _end(self, event: End) -> bytes:
        last = self._chunk({}, finish(event.stop, older=self._older))
        usage = event.usage or self._usage
        if self._ask.wants_usage and usage is not None:
            last += _event(self._head | {"choices": [], "usage": usage_said(usage)})
        return last + DONE_EVENT

    def _call(self, call: ToolCall) -> bytes:
        index, self._calls = self._calls, self._calls + 1
        if self._older:
            # That form knows one call only.
            started: Json = {"name": call.name, "arguments": call.arguments}
            return self._chunk({"function_call": started}) if index == 0 else b""
        kind, content = ("custom", "input") if call.custom else ("function", "arguments")
        body = {"name": call.name, content: call.arguments}
        return self._chunk({"tool_calls": [{"index": index, "id": call.id, "type": kind, kind: body}]})

    def _arguments(self, text: str, more: Json | None = None) -> bytes:
        """A piece of them, empty rather than absent: the official client looks for it each time."""
        if self._older:
            return self._chunk({"function_call": {"arguments": text}}) if self._calls == 1 else b""
        custom = isinstance(self._part, ToolCall) and self._part.custom
        piece = {"custom": {"input": text}} if custom else {"function": {"arguments": text}}
        return self._chunk({"tool_calls": [{"index": self._calls - 1} | piece | (more or {})]})

    def _chunk(self, delta: Json, finished: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finished}
        none: Json = {"usage": None} if self._ask.wants_usage else {}
        return _event(self._head | {"choices": [choice]} | none)


def _event(body: Json) -> bytes:
    return sse.encode(msgspec.json.encode(body))
