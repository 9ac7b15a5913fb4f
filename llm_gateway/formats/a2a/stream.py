"""An agent's stream as a reply that grows: the words of its artifacts as they come, at last those of its
status.
"""

from llm_gateway.chat.events import Begin, End, Event, PartBegin, PartDelta, PartEnd
from llm_gateway.chat.parts import Text
from llm_gateway.chat.reply import Stop
from llm_gateway.formats.a2a.said import NOTHING_USED, check
from shared import agent_events, sse
from shared.agent_events import NO_ANSWER, Part, Status, event_of, text_of
from shared.errors import UpstreamBroken

_MOST_WHOLE = 16_777_216


class Decoder:
    """All words are one text. What an agent says of its progress is not part of its answer."""

    def __init__(self) -> None:
        self._splitter = sse.SseSplitter()
        self._whole: bytes | None = None
        self._heard = False
        self._began = False
        self._context = ""
        self._open = False
        self._ended = False

    def feed(self, chunk: bytes) -> list[Event]:
        if not self._heard and chunk.lstrip()[:1] == b"{":
            # No stream: an error, or all that there is.
            self._whole = b""
        self._heard = self._heard or bool(chunk.strip())
        if self._whole is not None:
            self._whole += chunk
            if len(self._whole) > _MOST_WHOLE:
                raise UpstreamBroken(NO_ANSWER)
            return []
        found: list[Event] = []
        for event in self._splitter.feed(chunk):
            data = sse.data_of(event)
            if data and not self._ended:
                found += self._read(event_of(data))
        return found

    def end(self) -> list[Event]:
        if self._ended:
            return []
        found = self._read(event_of(self._whole)) if self._whole is not None else []
        if any(isinstance(event, End) for event in found):
            return found
        if not self._open:
            raise UpstreamBroken("the agent's answer ended before it had said anything")
        # Its task goes on without us.
        return [*found, *self._finish()]

    def _read(self, event: agent_events.Event) -> list[Event]:
        self._context = self._context or event.ids[1]
        if event.message is not None:
            return [*self._say(event.message.parts), *self._finish()]
        if event.task is not None:
            parts = [part for artifact in event.task.artifacts for part in artifact.parts]
            return [*self._say(parts), *self._status(event.task.status)]
        update = event.statusUpdate or event.artifactUpdate
        if update is None:
            raise UpstreamBroken(NO_ANSWER)
        if update.artifact is not None:
            return self._say(update.artifact.parts)
        return self._status(update.status) if update.status is not None else []

    def _status(self, status: Status) -> list[Event]:
        check(status)
        if not status.ended:
            return []
        last = self._say(status.parts) if status.waits or not self._open else []
        return [*last, *self._finish()]

    def _say(self, parts: list[Part]) -> list[Event]:
        words = text_of(parts)
        if not words:
            return []
        begun = self._begin()
        if not self._open:
            self._open = True
            begun.append(PartBegin(place=0, part=Text()))
        return [*begun, PartDelta(place=0, text=words)]

    def _begin(self) -> list[Event]:
        if self._began:
            return []
        self._began = True
        return [Begin(id=self._context, model="", usage=NOTHING_USED)]

    def _finish(self) -> list[Event]:
        self._ended = True
        closed: list[Event] = [PartEnd(place=0)] if self._open else []
        return [*self._begin(), *closed, End(stop=Stop.END, usage=NOTHING_USED)]
