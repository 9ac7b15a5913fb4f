"""A wait that lasts too long is ended and named, a wait that somebody else ends is not taken for one."""

import asyncio

import pytest

from shared.idle import Idle
from tests.support.clock import MovedClock
from tests.support.wait import eventually


async def test_a_wait_that_lasts_too_long_is_ended() -> None:
    idle = Idle(0.01)
    with pytest.raises(TimeoutError), idle:
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_every_wait_has_the_whole_time_and_what_lies_between_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    idle, clock, loop = Idle(60), MovedClock(), asyncio.get_running_loop()
    monkeypatch.setattr(loop, "time", clock.monotonic)
    for _ in range(3):
        with idle:
            clock.advance(40)
            await _timers_run()
    clock.advance(100)
    await _timers_run()
    loop.call_soon(clock.advance, 61)
    with pytest.raises(TimeoutError), idle:
        await asyncio.Event().wait()
    idle.close()


async def _timers_run() -> None:
    """Returns when all timers that are due have been called."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_who_is_cancelled_by_others_is_cancelled() -> None:
    entered = asyncio.Event()

    async def waiting() -> None:
        with Idle(60):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(waiting())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_of_two_who_end_a_wait_the_other_goes_first() -> None:
    idle = Idle(0.01)
    outcome: list[str] = []

    async def waiting() -> None:
        try:
            with idle:
                await stubborn()
        except BaseException as error:
            outcome.append(type(error).__name__)
            raise

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            task.cancel()
            raise

    task = asyncio.create_task(waiting())
    await eventually(lambda: outcome, "the wait has ended")
    assert outcome == ["CancelledError"]


async def test_without_a_bound_nothing_is_ended_and_no_timer_is_left() -> None:
    idle = Idle(None)
    with idle:
        await asyncio.sleep(0.01)
    idle.close()


async def test_an_error_within_passes() -> None:
    with pytest.raises(ValueError, match="as it was"), Idle(60):
        raise ValueError("as it was")
