"""What a kill would cut, as every process tells whoever asks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from shared.background import cancelled
from shared.identity.principal import Caller, Principal
from shared.kill import KillSwitch
from shared.kill_survey import CHANNEL, NAMED, Survey
from shared.ledger.entry import Entry
from shared.redis_client import Redis
from shared.snapshots import Snapshots
from tests.support.clock import FakeClock
from tests.support.wait import eventually


def call(name: str, sub: str = "user:alice", resource: str = "route:llm") -> Entry:
    caller = Caller(
        principal=Principal(sub=sub, tenant="acme"), actors=(sub,), chain=f"chain-{name}", credential="key"
    )
    return Entry(id=name, service="s", started_at=0, caller=caller, resource=resource)


@contextlib.asynccontextmanager
async def listening(redis: Redis, service: str, *entries: Entry) -> AsyncIterator[Survey]:
    """A process that has these calls open and answers."""
    kill = KillSwitch(Snapshots(redis, None, FakeClock()), FakeClock())
    for entry in entries:
        kill.enter(entry, lambda _: None)
    survey = Survey(redis, kill, service)
    before = await heard(redis)
    task = asyncio.create_task(survey.run())
    try:

        async def hears() -> bool:
            return await heard(redis) > before

        await eventually(hears, "it listens")
        yield survey
    finally:
        await cancelled(task)


async def heard(redis: Redis) -> int:
    """How many processes listen."""
    return int((await redis.execute("PUBSUB", "NUMSUB", CHANNEL))[1])


async def test_every_process_tells_what_it_has_open(redis: Redis) -> None:
    one, two = call("e1"), call("e2", "user:bob")
    inner = call("e3", resource="model:fast")
    async with (
        listening(redis, "api_gateway", one, two) as survey,
        listening(redis, "llm_gateway", inner),
        listening(redis, "llm_gateway"),
    ):
        found = await survey.ask({"user": "alice"})
        assert found.calls == {"api_gateway": 1, "llm_gateway": 1}
        assert {(hit.service, hit.entry, hit.chain) for hit in found.hits} == {
            ("api_gateway", "e1", "chain-e1"),
            ("llm_gateway", "e3", "chain-e3"),
        }
        assert (found.asked, found.answered) == (3, 3)
        # What only the gateway behind the edge knows is found there.
        assert (await survey.ask({"model": "fast"})).calls == {"api_gateway": 0, "llm_gateway": 1}


async def test_calls_that_nobody_has_named_are_counted_all_the_same(redis: Redis) -> None:
    many = [call(f"e{number}") for number in range(NAMED + 5)]
    async with listening(redis, "api_gateway", *many) as survey:
        found = await survey.ask({"all": "*"})
        assert (len(found.hits), found.calls) == (NAMED, {"api_gateway": NAMED + 5})


async def test_a_process_that_does_not_answer_is_told_and_holds_nobody_up(redis: Redis) -> None:
    async with listening(redis, "api_gateway", call("e1")) as survey, redis.subscribe(CHANNEL) as silent:
        assert await anext(silent) == b""
        found = await survey.ask({"all": "*"})
        assert (found.asked, found.answered, found.calls) == (2, 1, {"api_gateway": 1})


async def test_what_is_no_question_goes_without_an_answer_and_ends_nothing(redis: Redis) -> None:
    async with listening(redis, "api_gateway", call("e1")) as survey:
        for bad in ("", "{}", '{"id":"x","selector":{"planet":"earth"}}', b"\xff"):
            await redis.execute("PUBLISH", CHANNEL, bad)
        assert (await survey.ask({"all": "*"})).answered == 1
        assert await redis.execute("KEYS", "gs:survey:x") == []
