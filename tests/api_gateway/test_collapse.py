"""Requests that ask the same at once, on a real edge: one goes to the service, and nobody depends on it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from api_gateway.collapse import Collapse
from shared.clock import Clock
from shared.policy import Rule
from tests.api_gateway.fronted import Answer, Front, fronted
from tests.api_gateway.scripted import Script, allow
from tests.support.serve import serving
from tests.support.wait import eventually

EVERYBODY = Rule(id="all", sub="*", dom="acme", obj="route:*", act="*")
FRESH = ("cache-control", "public, max-age=600")


class Crowd:
    """Clients that come while the service holds its first answer back."""

    def __init__(self, script: Script, front: Front) -> None:
        self.script = script
        self.front = front
        self._asking: list[asyncio.Task[Answer]] = []

    async def lead(self, **headers: str) -> asyncio.Task[Answer]:
        """The first, until it is at the service."""
        self.script.held = self.held = asyncio.Event()
        before = len(self.script.asked)
        task = asyncio.create_task(self.front.ask("/r0/a", **headers))
        await eventually(lambda: len(self.script.asked) > before, "the first is at the service")
        self.script.held = None
        return task

    async def follow(self, count: int, **headers: str) -> list[asyncio.Task[Answer]]:
        """So many more, once they wait for the first."""
        cache = self.front.edge.app.state.upstreams.caches[0]
        waiting = sum(leader.followers for leader in cache.collapse._leaders.values())
        tasks = [asyncio.create_task(self.front.ask("/r0/a", **headers)) for _ in range(count)]

        def all_wait() -> bool:
            found = sum(leader.followers for leader in cache.collapse._leaders.values())
            return bool(found == waiting + count)

        await eventually(all_wait, "they wait")
        return tasks

    async def hows(self, count: int) -> list[str]:
        return sorted(entry.cache for entry in await self.front.closed(count))


@contextlib.asynccontextmanager
async def crowded(directory: Path, **cache: Any) -> AsyncIterator[Crowd]:
    script = Script()
    script.headers = [FRESH]
    async with (
        serving(script) as url,
        fronted(directory, {"urls": [url], "cache": {"wait_seconds": 30, **cache}}) as front,
    ):
        yield Crowd(script, front)


async def test_one_asks_for_all(tmp_path: Path) -> None:
    async with crowded(tmp_path) as crowd:
        first = await crowd.lead()
        others = await crowd.follow(20)
        crowd.held.set()
        answers = await asyncio.gather(first, *others)
        assert {answer.body for answer in answers} == {b"hello"}
        assert len(crowd.script.asked) == 1
        assert await crowd.hows(21) == ["collapsed"] * 20 + ["miss"]


async def test_what_may_not_be_kept_is_nobody_elses(tmp_path: Path) -> None:
    async with crowded(tmp_path) as crowd:
        crowd.script.headers = [("cache-control", "no-store")]
        first = await crowd.lead()
        others = await crowd.follow(3)
        crowd.held.set()
        await asyncio.gather(first, *others)
        assert len(crowd.script.asked) == 4
        assert await crowd.hows(4) == ["miss"] * 4
        # For a while nobody waits for such an answer again.
        first = await crowd.lead()
        assert (await crowd.front.ask("/r0/a")).body == b"hello"
        crowd.held.set()
        await first


async def test_who_leads_and_fails_fails_alone(tmp_path: Path) -> None:
    async with crowded(tmp_path) as crowd:
        crowd.script.cut = True
        first = await crowd.lead()
        crowd.script.cut = False
        others = await crowd.follow(3)
        crowd.held.set()
        assert {answer.body for answer in await asyncio.gather(*others)} == {b"hello"}
        with contextlib.suppress(Exception):
            assert (await first).status >= 500
        crowd.script.status = 500
        await crowd.front.ask("/r0/a", method="PUT", body=b"x")
        await crowd.front.ask("/r0/a", cache_control="no-cache")
        first = await crowd.lead()
        crowd.script.status = 200
        others = await crowd.follow(3)
        crowd.held.set()
        assert {answer.status for answer in await asyncio.gather(*others)} == {200}
        assert (await first).status == 500


async def test_who_leads_and_leaves_is_missed_by_nobody(tmp_path: Path) -> None:
    async with crowded(tmp_path) as crowd:
        first = await crowd.lead()
        others = await crowd.follow(3)
        first.cancel()
        await asyncio.wait([first])
        crowd.held.set()
        assert {answer.body for answer in await asyncio.gather(*others)} == {b"hello"}
        assert len(crowd.script.asked) == 1, "its answer was fetched all the same"


async def test_who_follows_and_leaves_takes_nothing_along(tmp_path: Path) -> None:
    async with crowded(tmp_path) as crowd:
        first = await crowd.lead()
        gone, *others = await crowd.follow(3)
        gone.cancel()
        await asyncio.wait([gone])
        crowd.held.set()
        assert {answer.body for answer in await asyncio.gather(first, *others)} == {b"hello"}
        assert len(crowd.script.asked) == 1


async def test_nobody_waits_for_longer_than_the_route_says(tmp_path: Path) -> None:
    async with crowded(tmp_path, wait_seconds=0.05) as crowd:
        first = await crowd.lead()
        assert (await crowd.front.ask("/r0/a")).body == b"hello"
        crowd.held.set()
        await first
    async with crowded(tmp_path / "off", wait_seconds=0) as crowd:
        first = await crowd.lead()
        assert (await crowd.front.ask("/r0/a")).body == b"hello"
        crowd.held.set()
        await first


async def test_who_may_not_be_answered_by_it_does_not_wait(tmp_path: Path) -> None:
    async with crowded(tmp_path) as crowd:
        await allow(crowd.front, EVERYBODY)
        bob = await crowd.front.new_key("user:bob")
        first = await crowd.lead()
        for headers in ({"key": bob}, {"cache_control": "no-cache"}, {"cache_control": "max-age=0"}):
            assert (await crowd.front.ask("/r0/a", **headers)).body == b"hello"
        assert (await crowd.front.ask("/r0/b")).body == b"hello"
        crowd.held.set()
        await first
        assert len(crowd.script.asked) == 5


async def test_what_is_shared_is_fetched_once_for_everybody(tmp_path: Path) -> None:
    async with crowded(tmp_path, shared=True) as crowd:
        await allow(crowd.front, EVERYBODY)
        bob = await crowd.front.new_key("user:bob")
        first = await crowd.lead()
        others = await crowd.follow(3, key=bob)
        crowd.held.set()
        assert {answer.body for answer in await asyncio.gather(first, *others)} == {b"hello"}
        assert len(crowd.script.asked) == 1


async def test_an_answer_to_another_variant_is_not_taken(tmp_path: Path) -> None:
    async with crowded(tmp_path) as crowd:
        crowd.script.headers = [FRESH, ("vary", "accept-language")]
        first = await crowd.lead(accept_language="de")
        others = await crowd.follow(1, accept_language="en")
        crowd.held.set()
        crowd.script.body = b"english"
        assert [answer.body for answer in await asyncio.gather(first, *others)] == [b"hello", b"english"]
        first = await crowd.lead(accept_language="fr")
        assert (await crowd.front.ask("/r0/a", accept_language="es")).body == b"english", "known by now"
        crowd.held.set()
        await first


async def test_what_is_stale_is_asked_about_once(tmp_path: Path) -> None:
    async with crowded(tmp_path) as crowd:
        crowd.script.headers = [("cache-control", "no-cache"), ("etag", '"v1"')]
        await crowd.front.ask("/r0/a")
        crowd.script.status, crowd.script.headers = 304, [FRESH, ("etag", '"v1"')]
        first = await crowd.lead()
        others = await crowd.follow(2, if_none_match='"v1"')
        crowd.held.set()
        assert (await first).status == 200
        assert [answer.status for answer in await asyncio.gather(*others)] == [304, 304]
        assert len(crowd.script.asked) == 2


async def test_a_condition_of_ones_own_leads_nobody(tmp_path: Path) -> None:
    async with crowded(tmp_path) as crowd:
        first = await crowd.lead(if_none_match='"v0"')
        assert (await crowd.front.ask("/r0/a")).body == b"hello"
        crowd.held.set()
        await first
        assert len(crowd.script.asked) == 2
        await crowd.front.ask("/r0/a", method="PUT", body=b"x")
        crowd.script.status = 304
        assert (await crowd.front.ask("/r0/a", if_none_match='"v0"')).status == 304
        crowd.script.status = 200
        first = await crowd.lead()
        others = await crowd.follow(2)
        crowd.held.set()
        assert {answer.body for answer in await asyncio.gather(first, *others)} == {b"hello"}


async def test_in_a_crowd_that_comes_and_goes_who_stays_is_answered(tmp_path: Path) -> None:
    async with crowded(tmp_path, shared=True) as crowd:
        asking = [asyncio.create_task(crowd.front.ask(f"/r0/{n % 7}")) for n in range(120)]
        await eventually(lambda: crowd.script.asked, "the first is at the service")
        for task in asking[::3]:
            task.cancel()
        found = await asyncio.gather(*asking, return_exceptions=True)
        stayed = [one for n, one in enumerate(found) if n % 3]
        assert {one.status for one in stayed if isinstance(one, Answer)} == {200}
        assert len(stayed) == sum(isinstance(one, Answer) for one in stayed)
        assert len(crowd.script.asked) < 80
        leaders = crowd.front.edge.app.state.upstreams.caches[0].collapse._leaders
        await eventually(lambda: not leaders, "nobody leads any more")


async def test_what_is_remembered_of_answers_that_cannot_be_kept_has_a_bound() -> None:
    collapse = Collapse(5.0, Clock())
    for number in range(5000):
        collapse.part(number)
    assert len(collapse._apart) == 4096
