"""What OpenAI-compatible providers answer, whole or streamed, in the neutral form."""

import msgspec

from llm_gateway.chat.events import Begin, End, Event
from llm_gateway.chat.parts import AnyPart, Refusal, Thinking, ToolCall
from llm_gateway.chat.reply import Reply
from llm_gateway.formats.openai_chat.content import ORIGIN
from llm_gateway.formats.openai_chat.lanes import Lanes
from llm_gateway.formats.openai_chat.provided import (
    NO_COMPLETION,
    Call,
    Choice,
    Message,
    content_of,
    images_of,
    read,
    stop_of,
)
from llm_gateway.formats.openai_chat.stream import DONE
from llm_gateway.formats.openai_chat.thought import signature, thoughts
from llm_gateway.formats.openai_chat.usage import WireUsage
from shared import sse
from shared.errors import UpstreamBroken
from shared.ledger.entry import Usage, new_id


def reply_of(body: bytes) -> Reply:
    """Raises UpstreamRefused when it is an error, UpstreamBroken when it is no completion."""
    answer = read(body)
    choice = next((each for each in answer.choices or () if each.message is not None), None)
    if choice is None or choice.message is None:
        raise UpstreamBroken(NO_COMPLETION)
    parts = _parts(choice.message)
    return Reply(
        id=answer.id or "",
        model=answer.model or "",
        created=int(answer.created or 0),
        parts=tuple(parts),
        stop=stop_of(choice.finish_reason, called=any(isinstance(part, ToolCall) for part in parts)),
        usage=WireUsage.read(answer.usage),
    )


def _parts(message: Message) -> list[AnyPart]:
    parts: list[AnyPart] = [*thoughts(message.thinking_blocks, message.thinking, origin=ORIGIN)]
    for kind, text in content_of(message.content):
        parts.append(msgspec.structs.replace(kind, text=text))
    if message.refusal:
        parts.append(Refusal(text=message.refusal))
    parts += images_of(message.images)
    for call in message.calls:
        mark, origin = signature(call.extra_content)
        parts.append(
            ToolCall(
                id=call.id or f"call_{new_id()}",
                name=call.name,
                arguments=call.arguments,
                signature=mark,
                origin=origin,
                custom=call.custom is not None,
            )
        )
    return parts


class ChatDecoder:
    """Chunks into events. Calls that come side by side are told one after another."""

    def __init__(self) -> None:
        self._splitter = sse.SseSplitter()
        self._lanes = Lanes()
        self._begun = self._over = self._called = self._counted = False
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._calls: dict[int, str] = {}

    def feed(self, chunk: bytes) -> list[Event]:
        found: list[Event] = []
        for event in self._splitter.feed(chunk):
            if self._over:
                break
            if data := sse.data_of(event):
                found += self._take(data)
        return found

    def end(self) -> list[Event]:
        found = [] if self._splitter.empty else self.feed(b"\n\n")
        if self._over:
            return found
        if not self._begun or (self._finish is None and not self._counted):
            raise UpstreamBroken("the provider's stream ended before it was complete")
        # Some providers close instead of saying that they are done.
        return found + self._done()

    def _take(self, data: bytes) -> list[Event]:
        if data.strip() == DONE:
            if not self._begun:
                raise UpstreamBroken("the provider's stream ended before it began")
            return self._done()
        answer = read(data, streamed=True)
        if answer.choices is None:
            if not self._begun:
                raise UpstreamBroken("the provider's stream holds something that is no completion chunk")
            return []
        found: list[Event] = []
        if not self._begun:
            self._begun = True
            found.append(
                Begin(id=answer.id or "", model=answer.model or "", created=int(answer.created or 0))
            )
        counted = WireUsage.read(answer.usage)
        self._usage = counted or self._usage
        # Some count with every chunk: only the last one says that nothing is missing.
        self._counted = self._counted or (counted is not None and not answer.choices)
        for choice in answer.choices:
            if choice.index == 0:
                self._choice(choice)
        return found + self._lanes.take()

    def _choice(self, choice: Choice) -> None:
        delta = choice.delta or choice.message
        if delta is not None:
            self._delta(delta)
        self._finish = choice.finish_reason or self._finish

    def _delta(self, delta: Message) -> None:
        if delta.thinking:
            self._grow(Thinking(origin=ORIGIN), delta.thinking)
        for thought in thoughts(delta.thinking_blocks, None, origin=ORIGIN):
            if thought.signature:
                self._sign(thought)
            elif thought.text and not delta.thinking:
                self._grow(Thinking(origin=thought.origin), thought.text)
        for part in content_of(delta.content):
            self._grow(*part)
        if delta.refusal:
            self._grow(Refusal(), delta.refusal)
        for call in delta.calls:
            self._call(call)
        for picture in images_of(delta.images):
            self._end_texts()
            self._lanes.begin("image", picture)
            self._lanes.end("image")

    def _grow(self, kind: AnyPart, text: str) -> None:
        """Adds to the open part of this kind, or opens one; it ends when another kind begins."""
        key = type(kind)
        if key not in self._lanes.open:
            self._end_texts()
            self._lanes.begin(key, kind)
        self._lanes.grow(key, text)

    def _sign(self, thought: Thinking) -> None:
        """A signed block: what is open ends with it, even where it tells all of that once more."""
        if Thinking in self._lanes.open and not thought.redacted:
            self._lanes.grow(Thinking, "", thought.signature)
        else:
            self._end_texts()
            self._lanes.begin(Thinking, thought)
        self._lanes.end(Thinking)

    def _call(self, call: Call) -> None:
        self._called = True
        index = len(self._calls) - 1 if call.index is None and not call.name else call.index
        index = len(self._calls) if index is None else index
        mark, origin = signature(call.extra_content)
        known = self._calls.get(index)
        if known is None or (call.id and call.name and call.id != known):
            if known is not None:
                # Another call under the number of one before: that one is complete.
                self._lanes.end(("call", index, known))
            known = self._calls[index] = call.id or f"call_{new_id()}"
            self._end_texts()
            part = ToolCall(id=known, name=call.name, custom=call.custom is not None, origin=origin)
            self._lanes.begin(("call", index, known), part)
        key = ("call", index, known)
        if call.arguments or mark:
            self._lanes.grow(key, call.arguments, mark)

    def _end_texts(self) -> None:
        for key in self._lanes.open:
            if isinstance(key, type):
                self._lanes.end(key)

    def _done(self) -> list[Event]:
        self._over = True
        self._lanes.end_all()
        stop = stop_of(self._finish, called=self._called)
        return [*self._lanes.take(), End(stop=stop, usage=self._usage)]
