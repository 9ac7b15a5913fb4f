"""What a kill would cut, asked of every process before anybody orders it. Only for telling: nothing that is
decided hangs on these answers.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from shared.errors import Unavailable
from shared.kill import KillSwitch
from shared.ledger.entry import Entry, new_id
from shared.redis_client import Redis, RedisError

CHANNEL = "gs:survey"
# Each process names so many calls and counts the others.
NAMED = 100
_PATIENCE_SECONDS = 1.0
_LOOK_SECONDS = 0.01
_KEPT_MS = 5000


class Hit(Struct, frozen=True, kw_only=True):
    """One open call, as the process has it that serves it."""

    service: str
    entry: str
    chain: str = ""
    actors: tuple[str, ...] = ()
    resource: str = ""


class Found(Struct, frozen=True, kw_only=True):
    """`calls` counts by service, and one request is a call at each service that it has come to. Of `asked`
    processes so many have `answered` in time.
    """

    calls: dict[str, int]
    hits: tuple[Hit, ...]
    asked: int
    answered: int


class _Question(Struct, frozen=True):
    id: str
    selector: dict[str, str]


class _Answer(Struct, frozen=True):
    service: str
    calls: int
    hits: tuple[Hit, ...]


class Survey:
    """Asks, and answers for this process while `run` runs."""

    def __init__(self, redis: Redis, kill: KillSwitch, service: str) -> None:
        self._redis = redis
        self._kill = kill
        self._service = service

    async def run(self) -> None:
        """Until cancelled."""
        async with self._redis.subscribe(CHANNEL) as messages:
            async for message in messages:
                if message:
                    await self._answer(message)

    async def ask(self, selector: dict[str, str]) -> Found:
        """What is open anywhere that a kill with this selector would cut, from whoever answers within a
        second. Raises Unavailable.
        """
        question = _Question(new_id(), selector)
        try:
            asked = int(await self._redis.execute("PUBLISH", CHANNEL, msgspec.json.encode(question)))
            answers = await self._answers(question.id, asked)
        except RedisError as error:
            raise Unavailable("nobody can be asked at the moment, try again", cause=error) from error
        calls: Counter[str] = Counter()
        for answer in answers:
            calls[answer.service] += answer.calls
        hits = tuple(hit for answer in answers for hit in answer.hits)
        return Found(calls=dict(calls), hits=hits, asked=asked, answered=len(answers))

    async def _answers(self, question: str, asked: int) -> list[_Answer]:
        found: Sequence[bytes] = ()
        waited = 0.0
        while len(found) < asked and waited < _PATIENCE_SECONDS:
            await asyncio.sleep(_LOOK_SECONDS)
            waited += _LOOK_SECONDS
            found = await self._redis.execute("LRANGE", _place(question), 0, -1)
        return [msgspec.json.decode(answer, type=_Answer) for answer in found]

    async def _answer(self, message: bytes) -> None:
        """A question that cannot be read, or that cannot be answered now, goes without an answer."""
        try:
            question = msgspec.json.decode(message, type=_Question)
            hits = self._kill.hits(question.selector)
            answer = _Answer(self._service, len(hits), tuple(map(self._named, hits[:NAMED])))
            place = _place(question.id)
            await self._redis.execute("RPUSH", place, msgspec.json.encode(answer))
            await self._redis.execute("PEXPIRE", place, _KEPT_MS)
        except (ValueError, Unavailable, RedisError):
            return

    def _named(self, entry: Entry) -> Hit:
        caller = entry.caller
        return Hit(
            service=self._service,
            entry=entry.id,
            chain=caller.chain if caller is not None else "",
            actors=caller.actors if caller is not None else (),
            resource=entry.resource,
        )


def _place(question: str) -> str:
    return f"gs:survey:{question}"
