"""Three times as many as a service can take, on a real edge: as many as there is room for are answered, the
others hear at once when to come back, and who matters more goes first.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from shared.policy import Rule
from tests.api_gateway.fronted import Front, fronted
from tests.api_gateway.scripted import Script, allow
from tests.support.serve import serving
from tests.support.wait import eventually

LIMIT, QUEUE = 2, 2


def concurrency(**rule: Any) -> dict[str, Any]:
    return {"concurrency": {"limit": LIMIT, "queue": QUEUE, "wait_seconds": 60, **rule}}


async def _waiting(front: Front, count: int) -> None:
    [gate] = front.edge.app.state.upstreams.gates
    await eventually(lambda: gate.waiting == count, f"{count} wait")


async def _flood(front: Front, script: Script) -> None:
    """Three times as many as there is room for, all at once."""
    script.held, room = asyncio.Event(), LIMIT + QUEUE
    script.asked.clear()
    asked = [asyncio.create_task(front.ask("/r0/x", method="POST")) for _ in range(3 * room)]
    # Nobody inside is answered yet: those who are done are refused.
    await eventually(lambda: sum(task.done() for task in asked) >= 2 * room, "the refusals")
    refused = [task.result() for task in asked if task.done()]
    assert [answer.status for answer in refused] == [503] * 2 * room
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    await eventually(lambda: len(script.asked) == LIMIT, "as many are inside as there are places")
    script.held.set()
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status for answer in answers) == [200] * room + [503] * 2 * room
    assert len(script.asked) == room


async def test_at_three_times_the_capacity_every_place_is_used_and_everybody_hears_at_once(
    tmp_path: Path,
) -> None:
    script = Script()
    async with serving(script) as url, fronted(tmp_path, {"urls": [url], **concurrency()}) as front:
        for _ in range(3):
            await _flood(front, script)
            await _waiting(front, 0)


async def test_where_nobody_at_all_can_be_let_in_nobody_is_asked_who_calls(tmp_path: Path) -> None:
    script = Script()
    async with serving(script) as url, fronted(tmp_path, {"urls": [url], **concurrency(limit=1)}) as front:
        script.held = asyncio.Event()
        asked = [asyncio.create_task(front.ask("/r0/x")) for _ in range(1 + QUEUE)]
        await _waiting(front, QUEUE)
        refused = [await front.ask("/r0/x", key="gsk_of_nobody") for _ in range(20)]
        assert {answer.status for answer in refused} == {503}
        # Elsewhere there is room: who calls is asked first, and what is served where is not told.
        assert (await front.ask("/r1/x", key="gsk_of_nobody")).status == 401
        assert (await front.ask("/nowhere")).status == 404
        script.held.set()
        assert [(await task).status for task in asked] == [200] * (1 + QUEUE)
        # They are one row, and one that counts them.
        [first] = [entry for entry in front.entries if entry.status == 503]
        assert (first.outcome, first.resource, first.caller) == ("refused", "route:r0", None)
        [strangers] = front.edge.parts.account.strangers._seen.values()
        assert strangers.reasons["unavailable"] == 19


async def test_a_full_route_still_gives_what_it_has_kept(tmp_path: Path) -> None:
    script = Script()
    script.headers = [("cache-control", "max-age=60")]
    rule = concurrency(limit=1, queue=0) | {"cache": {}}
    async with serving(script) as url, fronted(tmp_path, {"urls": [url], **rule}) as front:
        assert (await front.ask("/r0/kept")).status == 200
        script.held = asyncio.Event()
        inside = asyncio.create_task(front.ask("/r0/x"))
        await eventually(lambda: len(script.asked) == 2, "one is inside")
        assert (await front.ask("/r0/kept")).status == 200
        assert (await front.ask("/r0/other")).status == 503
        assert (await front.ask("/r0/kept", key="gsk_of_nobody")).status == 401
        script.held.set()
        assert (await inside).status == 200


async def test_who_is_refused_hears_it_in_the_middle_of_its_body(tmp_path: Path) -> None:
    script, stop = Script(), False

    async def endless() -> AsyncIterator[bytes]:
        while not stop:
            yield b"x" * 65_536

    rule = concurrency(limit=1, queue=0)
    async with serving(script) as url, fronted(tmp_path, {"urls": [url], **rule}) as front:
        script.held = asyncio.Event()
        inside = asyncio.create_task(front.ask("/r0/x"))
        await eventually(lambda: script.asked, "one is inside")
        refused = await front.ask("/r0/x", method="POST", body=endless())
        stop = True
        assert (refused.status, len(script.asked)) == (503, 1)
        script.held.set()
        assert (await inside).status == 200


async def test_who_matters_more_goes_first_and_nobody_makes_that_up(tmp_path: Path) -> None:
    script = Script()
    more = [
        {"principal": "user:root", "priority": 5},
        {"tier": "gold", "headers": {"x-vip": "1"}, "priority": 9},
    ]
    rule = concurrency(limit=1, queue=1, priorities=more)
    async with serving(script) as url, fronted(tmp_path, {"urls": [url], **rule}) as front:
        await allow(front, Rule(id="all", sub="*", dom="acme", obj="route:*", act="*"))
        root = await front.new_key("user:root")
        script.held = asyncio.Event()
        inside = asyncio.create_task(front.ask("/r0/inside"))
        await eventually(lambda: script.asked, "one is inside")
        ordinary = asyncio.create_task(front.ask("/r0/ordinary"))
        await _waiting(front, 1)
        assert (await front.ask("/r0/pretends", x_vip="1", x_priority="100")).status == 503
        urgent = asyncio.create_task(front.ask("/r0/urgent", key=root))
        assert (await ordinary).status == 503
        script.held.set()
        assert [(await task).status for task in (inside, urgent)] == [200, 200]
        assert [asked.path for asked in script.asked] == ["/r0/inside", "/r0/urgent"]


async def test_a_client_waits_no_longer_than_it_says(tmp_path: Path) -> None:
    script = Script()
    async with serving(script) as url, fronted(tmp_path, {"urls": [url], **concurrency(limit=1)}) as front:
        script.held = asyncio.Event()
        inside = asyncio.create_task(front.ask("/r0/x"))
        await eventually(lambda: script.asked, "one is inside")
        assert (await front.ask("/r0/x", gatestack_timeout="0.01")).status == 503
        assert (await front.ask("/r0/x", gatestack_timeout="soon")).status == 400
        script.held.set()
        assert (await inside).status == 200
