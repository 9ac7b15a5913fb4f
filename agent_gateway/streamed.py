"""The events of one stream under guard. The text of an artifact may come in many of them: what guards hold of
it goes out with a later event of that artifact, or in one of its own before whatever ends it.
"""

from typing import Any

from agent_gateway.contents import Json, walk_event
from shared.guards.flow import Flow
from shared.guards.run import Run
from shared.guards.verdict import Occasion

# Artifacts whose text is held at once; of one more, the oldest is let go first.
_MOST_OPEN = 64
_NO_WORDS = {"text": ""}
_BARE_UPDATE = frozenset(("taskId", "contextId", "append", "lastChunk", "artifact"))
_BARE_ARTIFACT = frozenset(("artifactId", "parts"))


class Streamed:
    def __init__(self, run: Run[Occasion]) -> None:
        self._run = run
        self._open: dict[tuple[str, str], _Text] = {}

    async def feed(self, event: Json, *, last: bool) -> list[Json]:
        """What may go out now that this event has come: the very same where nothing has changed. Raises
        ContentRefused, Unavailable, UpstreamBroken.
        """
        update = event.get("artifactUpdate")
        artifact = update.get("artifact") if isinstance(update, dict) else None
        if isinstance(artifact, dict) and isinstance(artifact.get("parts"), list):
            return await self._artifact(event, event["artifactUpdate"], artifact)
        # A task as it stands has all that was said.
        rest = await self.end() if last or "task" in event else []
        return [*rest, await self._run.through(event, walk_event, "reply")]

    async def end(self) -> list[Json]:
        """What is left of all that has been fed."""
        texts, self._open = list(self._open.values()), {}
        return [made for text in texts if (made := await text.rest()) is not None]

    async def _artifact(self, event: Json, update: Json, artifact: Json) -> list[Json]:
        appends, ends = bool(update.get("append")), bool(update.get("lastChunk"))
        key = (str(update.get("taskId")), str(artifact.get("artifactId")))
        if not appends:
            # It takes the place of what had this id, with all that is held of that.
            self._open.pop(key, None)
        before: list[Json] = []
        if key not in self._open:
            before = await self._room()
            self._open[key] = _Text(self._run, update, artifact)
        text = self._open[key]
        whole, given = await self._beside_words(event, artifact["parts"])
        parts = await text.parts(given, ends=ends)
        if ends:
            del self._open[key]
        if not parts and appends and not ends:
            return before
        same = len(parts) == len(given) and all(new is old for new, old in zip(parts, given, strict=True))
        return [*before, whole if same else _with_parts(whole, parts or [_NO_WORDS])]

    async def _room(self) -> list[Json]:
        if len(self._open) < _MOST_OPEN:
            return []
        rest = await self._open.pop(next(iter(self._open))).rest()
        return [rest] if rest is not None else []

    async def _beside_words(self, event: Json, parts: list[Any]) -> tuple[Json, list[Any]]:
        """The event and its parts once guards have seen all but the words in these: they come in pieces."""
        if _only_words(event):
            return event, parts
        bare = _with_parts(event, [part | _NO_WORDS if _is_words(part) else part for part in parts])
        seen = await self._run.through(bare, walk_event, "reply")
        if seen is bare:
            return event, parts
        now = seen["artifactUpdate"]["artifact"]["parts"]
        filled = [
            new | {"text": old["text"]} if _is_words(old) else new
            for new, old in zip(now, parts, strict=True)
        ]
        return _with_parts(seen, filled), filled


class _Text:
    """The text of one artifact, on its way."""

    def __init__(self, run: Run[Occasion], update: Json, artifact: Json) -> None:
        self._run = run
        self._flow: Flow[Occasion] = Flow(run, "assistant")
        self._update = {name: update[name] for name in ("taskId", "contextId") if name in update}
        self._id = artifact.get("artifactId")

    async def parts(self, given: list[Any], *, ends: bool) -> list[Any]:
        """The parts that may go out; a text of which all is held is not among them."""
        out: list[Any] = []
        for part in given:
            if not _is_words(part):
                out += [*await self._held(), part]
            elif text := await self._flow.feed(part["text"]):
                out.append(part if text == part["text"] else part | {"text": text})
            elif not part["text"]:
                out.append(part)
        return out + (await self._held() if ends else [])

    async def rest(self) -> Json | None:
        """An event with what is held; None where that is nothing."""
        parts = await self._held()
        if not parts:
            return None
        artifact = {"artifactId": self._id, "parts": parts}
        return {"artifactUpdate": self._update | {"artifact": artifact, "append": True}}

    async def _held(self) -> list[Json]:
        text = await self._flow.end()
        self._flow = Flow(self._run, "assistant")
        return [{"text": text}] if text else []


def _only_words(event: Json) -> bool:
    """Whether there is nothing else to be looked at, as in most events of a stream."""
    update = event["artifactUpdate"]
    artifact = update["artifact"]
    bare = len(event) == 1 and update.keys() <= _BARE_UPDATE and artifact.keys() <= _BARE_ARTIFACT
    return bare and all(_is_words(part) and len(part) == 1 for part in artifact["parts"])


def _is_words(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _with_parts(event: Json, parts: list[Any]) -> Json:
    update = event["artifactUpdate"]
    return event | {"artifactUpdate": update | {"artifact": update["artifact"] | {"parts": parts}}}
