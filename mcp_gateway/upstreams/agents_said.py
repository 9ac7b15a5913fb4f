"""What an agent says while a tool call waits for it: progress on the way, a tool's result in the end."""

from typing import Any

import msgspec
from msgspec import Raw

from shared.agent_events import NO_ANSWER, Event, Part, Status, event_of, text_of
from shared.errors import UpstreamBroken
from shared.jsonrpc import Envelope

Json = dict[str, Any]
_LONGEST_NOTE = 500
_PROGRESS = "notifications/progress"


class Said:
    """`task` is the agent's, as soon as it is known."""

    def __init__(self) -> None:
        self.task = ""
        self._context = ""
        self._status = Status()
        self._parts: list[Part] = []
        self._notes = 0
        self._answered = False

    @property
    def running(self) -> bool:
        """Whether there is a task that could still be cancelled."""
        return bool(self.task) and not self._answered

    def heard(self, data: bytes) -> Envelope | None:
        """Takes one event, and says what of it is progress. Raises UpstreamBroken, UpstreamRefused."""
        event = event_of(data)
        task, context = event.ids
        self.task, self._context = task or self.task, context or self._context
        if event.message is not None:
            self._parts, self._answered = event.message.parts, True
            return None
        if event.artifactUpdate is not None and event.artifactUpdate.artifact is not None:
            return self._grown(event.artifactUpdate.artifact.parts)
        status = self._status_of(event)
        if status is None:
            return None
        self._status, self._answered = status, status.ended
        return None if status.ended else self._note(text_of(status.parts) or status.word)

    def result(self) -> bytes:
        """Raises UpstreamBroken where the agent has said nothing at all."""
        if not (self._answered or self.task):
            raise UpstreamBroken(NO_ANSWER)
        status = self._status
        parts = self._parts
        if status.waits or status.failed or not parts:
            parts = [*parts, *status.parts]
        found = [_content(part) for part in parts] or [{"type": "text", "text": status.word}]
        told = {"state": status.word or "completed", "context_id": self._context, "task_id": self.task}
        return msgspec.json.encode({"content": found, "structuredContent": told, "isError": status.failed})

    def _grown(self, parts: list[Part]) -> Envelope | None:
        """More of the answer. Pieces of one text are one text: they may be single words."""
        last = self._parts[-1] if self._parts else None
        for part in parts:
            if last is not None and last.text is not None and part.text is not None:
                last.text += part.text
            else:
                self._parts.append(part)
                last = part
        words = text_of(parts)
        return self._note(words) if words else None

    def _status_of(self, event: Event) -> Status | None:
        if event.task is not None:
            self._parts = [part for artifact in event.task.artifacts for part in artifact.parts]
            return event.task.status
        return event.statusUpdate.status if event.statusUpdate is not None else None

    def _note(self, words: str) -> Envelope:
        self._notes += 1
        params = {"progressToken": 0, "progress": self._notes, "message": words[:_LONGEST_NOTE]}
        return Envelope(method=_PROGRESS, params=Raw(msgspec.json.encode(params)))


def _content(part: Part) -> Json:
    if part.raw and part.mediaType.startswith("image/"):
        return {"type": "image", "data": part.raw, "mimeType": part.mediaType}
    name, kind = part.filename or "file", {"mimeType": part.mediaType} if part.mediaType else {}
    if part.raw:
        return {"type": "resource", "resource": {"uri": f"a2a:{name}", "blob": part.raw, **kind}}
    if part.url:
        return {"type": "resource_link", "uri": part.url, "name": name, **kind}
    return {"type": "text", "text": text_of([part])}
