"""A route takes only so many requests at once; who cannot get in hears it early."""

import asyncio
import contextlib
import functools
import math

import pytest

from api_gateway.balance.gate import Gate
from api_gateway.balance.settings import Concurrency, Priority
from api_gateway.balance.urgency import Urgency
from shared.clock import Clock
from shared.errors import Overloaded, UpstreamUnreachable
from tests.support.clock import FakeClock
from tests.support.wait import eventually


async def _inside(gate: Gate, until: asyncio.Event, order: list[int], number: int) -> None:
    async with gate.place():
        order.append(number)
        await until.wait()


async def test_who_waits_gets_in_by_turn() -> None:
    gate = Gate(Concurrency(limit=1, queue=2, wait_seconds=5), Clock())
    doors = [asyncio.Event() for _ in range(3)]
    order: list[int] = []
    async with asyncio.TaskGroup() as group:
        for number, door in enumerate(doors):
            group.create_task(_inside(gate, door, order, number))
        await eventually(lambda: gate.waiting == 2, "two wait")
        assert order == [0]
        for number, door in enumerate(doors):
            await eventually(functools.partial(order.__contains__, number), "its turn")
            door.set()
    assert order == [0, 1, 2]
    assert gate.shed == 0


async def test_a_full_queue_sheds_at_once_and_says_when_to_come_back() -> None:
    gate = Gate(Concurrency(limit=1, queue=1, wait_seconds=5), Clock())
    door = asyncio.Event()
    order: list[int] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(_inside(gate, door, order, 1))
        group.create_task(_inside(gate, door, order, 2))
        await eventually(lambda: gate.waiting == 1, "one waits")
        with pytest.raises(Overloaded) as refused:
            await _inside(gate, door, order, 3)
        door.set()
    assert refused.value.retry_after == 1
    assert (order, gate.shed) == ([1, 2], 1)


@pytest.mark.parametrize(
    ("priorities", "full"), [([], True), ([Priority(principal="user:ann", priority=1)], False)]
)
async def test_it_is_full_where_nobody_could_be_let_in_whoever_it_is(
    priorities: list[Priority], full: bool
) -> None:
    gate = Gate(Concurrency(limit=1, priorities=priorities), Clock())
    assert not gate.full
    async with gate.place():
        assert gate.full is full
    assert not gate.full


async def test_who_would_wait_in_vain_is_told_at_once() -> None:
    clock = FakeClock()
    gate = Gate(Concurrency(limit=1, queue=100, wait_seconds=2), clock)
    for _ in range(20):
        async with gate.place():
            clock.advance(30)
    async with gate.place():
        with pytest.raises(Overloaded) as refused:
            async with gate.place():
                raise AssertionError("it was let in")
    assert refused.value.retry_after is not None
    assert refused.value.retry_after > 20


async def test_waiting_has_an_end_and_frees_its_place() -> None:
    gate = Gate(Concurrency(limit=1, queue=1, wait_seconds=0.01), Clock())
    async with gate.place():
        with pytest.raises(Overloaded):
            async with gate.place():
                raise AssertionError("it was let in")
    assert gate.waiting == 0
    async with gate.place():
        pass


async def test_who_leaves_the_queue_leaves_no_hole() -> None:
    gate = Gate(Concurrency(limit=1, queue=5, wait_seconds=5), Clock())
    door = asyncio.Event()
    order: list[int] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(_inside(gate, door, order, 1))
        leaving = group.create_task(_inside(gate, door, order, 2))
        await eventually(lambda: gate.waiting == 1, "one waits")
        # In one go: its turn has come, and it goes in that same moment.
        door.set()
        await asyncio.sleep(0)
        assert gate.waiting == 0
        leaving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await leaving
    assert order == [1]
    async with asyncio.timeout(5), gate.place():
        assert gate.waiting == 0


def _urgent(priority: int = 0, patience: float = math.inf) -> Urgency:
    return Urgency(priority, patience)


async def _queued(gate: Gate, urgency: Urgency, order: list[str], name: str) -> None:
    async with gate.place(urgency):
        order.append(name)


async def test_the_most_urgent_goes_first_and_equals_by_turn() -> None:
    gate = Gate(Concurrency(limit=1, queue=9, wait_seconds=5), Clock())
    order: list[str] = []
    async with asyncio.TaskGroup() as group, gate.place():
        for number, (name, priority) in enumerate((("a", 0), ("b", -1), ("c", 5), ("d", 0), ("e", 5))):
            group.create_task(_queued(gate, _urgent(priority), order, name))
            await eventually(functools.partial(_waits, gate, number + 1), "it waits")
    assert "".join(order) == "ceadb"


async def test_the_least_urgent_gives_way_when_the_queue_is_full() -> None:
    gate = Gate(Concurrency(limit=1, queue=2, wait_seconds=5), Clock())
    order: list[str] = []
    async with gate.place():
        waiting = [
            asyncio.create_task(_queued(gate, _urgent(priority), order, str(priority))) for priority in (1, 0)
        ]
        await eventually(functools.partial(_waits, gate, 2), "two wait")
        with pytest.raises(Overloaded):
            await _queued(gate, _urgent(0), order, "no more urgent than the last")
        waiting.append(asyncio.create_task(_queued(gate, _urgent(2), order, "2")))
        with pytest.raises(Overloaded) as shed:
            await waiting[1]
        assert shed.value.retry_after is not None
        assert gate.waiting == 2
    await asyncio.gather(waiting[0], waiting[2])
    assert (order, gate.shed) == (["2", "1"], 2)
    async with gate.place():
        assert gate.waiting == 0


async def test_who_would_have_its_answer_too_late_is_shed_at_once() -> None:
    clock = FakeClock()
    gate = Gate(Concurrency(limit=1, queue=9, wait_seconds=60), clock)
    for _ in range(50):
        async with gate.place():
            clock.advance(2)
    order: list[str] = []
    async with gate.place():
        for patience in (1.0, 2.0, 3.9):
            with pytest.raises(Overloaded):
                await _queued(gate, _urgent(patience=patience), order, "too late")
        patient = asyncio.create_task(_queued(gate, _urgent(patience=4.1), order, "in time"))
        await eventually(functools.partial(_waits, gate, 1), "it waits")
    await patient
    assert order == ["in time"]


def _waits(gate: Gate, count: int) -> bool:
    return gate.waiting == count


async def test_a_limit_that_adapts_lets_in_who_waits_as_soon_as_it_has_grown() -> None:
    clock, doors = FakeClock(), [asyncio.Event() for _ in range(2)]
    gate = Gate(Concurrency(limit=100, adapt=True, queue=100, wait_seconds=60), clock)
    order: list[int] = []
    first = gate.limit
    async with asyncio.TaskGroup() as group:
        for number in range(3 * first):
            group.create_task(_inside(gate, doors[number >= first], order, number))
        await eventually(lambda: gate.waiting == 2 * first, "the others wait")
        assert gate._adapting is not None
        for _ in range(10):
            gate._adapting.took(0.1, now=clock.monotonic(), taken=True)
        clock.advance(1)
        doors[0].set()
        await eventually(lambda: gate.waiting == 0, "all are inside")
        assert gate.limit > first
        doors[1].set()
    assert order == list(range(3 * first))


async def test_what_fails_at_once_does_not_pass_for_a_service_with_time() -> None:
    clock = FakeClock()
    gate = Gate(Concurrency(limit=100, adapt=True), clock)
    first = gate.limit
    for _ in range(100):
        clock.advance(0.1)
        with contextlib.suppress(UpstreamUnreachable):
            async with contextlib.AsyncExitStack() as taken:
                for _ in range(first):
                    await taken.enter_async_context(gate.place())
                raise UpstreamUnreachable("nobody there")
    assert gate.limit == first
