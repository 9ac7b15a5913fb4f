"""What a client sends waits for its app in order and within bounds; that it is over waits for nobody."""

import asyncio

import pytest

from shared.inbox import Inbox
from tests.support.wait import SECONDS

OVER = {"type": "http.disconnect"}


def piece(n: int) -> dict[str, object]:
    return {"type": "websocket.receive", "bytes": b"%d" % n, "text": None}


def part(body: bytes, *, more: bool = True) -> dict[str, object]:
    return {"type": "http.request", "body": body, "more_body": more}


async def _later(inbox: Inbox, n: int) -> asyncio.Task[None]:
    """Somebody who wants to put a piece, and has tried."""
    task = asyncio.create_task(inbox.put(piece(n)))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    return task


async def test_everything_arrives_once_and_in_order_through_any_bound() -> None:
    inbox, count = Inbox(3), 50

    async def send() -> None:
        for n in range(count):
            await inbox.put(piece(n))  # type: ignore[arg-type]

    async with asyncio.timeout(SECONDS):
        sending = asyncio.create_task(send())
        assert [await inbox.get() for _ in range(count)] == [piece(n) for n in range(count)]
        await sending


async def test_no_more_than_the_bound_is_held() -> None:
    inbox = Inbox(2)
    tasks = [await _later(inbox, n) for n in range(3)]
    assert [task.done() for task in tasks] == [True, True, False]
    assert await inbox.get() == piece(0)
    await asyncio.wait_for(tasks[2], SECONDS)


async def test_the_end_waits_for_no_room_and_nobody_waits_for_room_after_it() -> None:
    inbox = Inbox(1)
    tasks = [await _later(inbox, n) for n in range(3)]
    async with asyncio.timeout(SECONDS):
        await inbox.put(OVER)  # type: ignore[arg-type]
        await asyncio.gather(*tasks)
        await inbox.put(piece(9))  # type: ignore[arg-type]
        # What was there before is still read; what was not, is dropped.
        assert [await inbox.get(), await inbox.get()] == [piece(0), OVER]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inbox.get(), 0.01)


async def test_who_leaves_while_it_waits_takes_nothing_along() -> None:
    inbox = Inbox(1)
    takers = [asyncio.create_task(inbox.get()) for _ in range(2)]
    await asyncio.sleep(0)
    await inbox.put(piece(0))  # type: ignore[arg-type]
    # The first has been called, and is gone before its turn.
    takers[0].cancel()
    assert await asyncio.wait_for(takers[1], SECONDS) == piece(0)
    await inbox.put(piece(1))  # type: ignore[arg-type]
    senders = [await _later(inbox, n) for n in (2, 3)]
    assert await inbox.get() == piece(1)
    senders[0].cancel()
    await asyncio.wait_for(senders[1], SECONDS)
    assert await inbox.get() == piece(3)


@pytest.mark.parametrize("pieces", [[b"abc"], [b"ab", b"", b"c"], [b"", b"a", b"b", b"c", b""]])
async def test_what_nobody_has_taken_of_a_body_is_one_piece(pieces: list[bytes]) -> None:
    inbox = Inbox(2)
    for body in pieces:
        await inbox.put(part(body))  # type: ignore[arg-type]
    await inbox.put(part(b"", more=False))  # type: ignore[arg-type]
    await inbox.put(OVER)  # type: ignore[arg-type]
    assert await inbox.get() == part(b"abc", more=False)
    assert await inbox.get() == OVER


async def test_a_body_that_is_empty_is_one_piece_too() -> None:
    inbox = Inbox(2)
    await inbox.put(part(b""))  # type: ignore[arg-type]
    await inbox.put(part(b"", more=False))  # type: ignore[arg-type]
    assert await inbox.get() == part(b"", more=False)


async def test_a_body_is_bounded_in_bytes() -> None:
    inbox = Inbox(64)
    sent = [part(b"x" * 100_000) for _ in range(4)]
    tasks = [asyncio.create_task(inbox.put(message)) for message in sent]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert [task.done() for task in tasks] == [True, True, True, False]
    assert await inbox.get() == part(b"x" * 300_000)
    await asyncio.wait_for(tasks[3], SECONDS)
    assert await inbox.get() == part(b"x" * 100_000)
