"""Waiting for a condition instead of for time: never longer than fifteen seconds, unless processes start."""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeVar, overload

SECONDS = 15.0
Value = TypeVar("Value")


@overload
async def eventually(
    check: Callable[[], Awaitable[Value]], what: str = "", *, seconds: float = SECONDS
) -> Value: ...
@overload
async def eventually(check: Callable[[], Value], what: str = "", *, seconds: float = SECONDS) -> Value: ...
async def eventually(
    check: Callable[[], Value | Awaitable[Value]], what: str = "", *, seconds: float = SECONDS
) -> Value:
    """The first true value of `check`. Fails the test when there is none in time."""
    last: Value | None = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = check()
                last = await found if isawaitable(found) else found
                if last:
                    return last
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(
            f"it did not come true in {seconds} s: {what or check}; last: {last!r}"
        ) from None
