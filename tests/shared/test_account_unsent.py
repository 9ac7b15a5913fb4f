"""What a request has used up is given back where it ends before any of it was sent on."""

import asyncio

import pytest

from shared.account import Flight
from shared.asgi import Exchange
from shared.errors import LimitExceeded, UpstreamBroken
from tests.support.frame import Body, Frame


async def _answered(_: Flight, one: Exchange) -> None:
    await one.reply(200, [], b"ok")


async def _refused(_: Flight, __: Exchange) -> None:
    raise LimitExceeded("no", retry_after=1)


async def _refused_after_it_was_sent(flight: Flight, _: Exchange) -> None:
    flight.sends()
    raise UpstreamBroken("no")


@pytest.mark.parametrize(
    ("stage", "given_back"),
    [(_refused, True), (_refused_after_it_was_sent, False), (_answered, False)],
    ids=["refused", "sent", "answered"],
)
async def test_what_was_used_up_is_given_back_before_the_refusal_of_what_was_not_sent(
    stage: Body, given_back: bool
) -> None:
    sent_by_then: list[int] = []

    async def back() -> None:
        sent_by_then.append(len(frame.wire.sent))

    async def body(flight: Flight, one: Exchange) -> None:
        flight.unsent = back
        await stage(flight, one)

    frame = Frame()
    await frame.run(body)
    assert sent_by_then == ([0] if given_back else [])


async def test_a_stop_while_something_is_given_back_is_on_record_as_one() -> None:
    giving = asyncio.Event()

    async def back() -> None:
        giving.set()
        await asyncio.Event().wait()

    async def body(flight: Flight, _: Exchange) -> None:
        flight.unsent = back
        raise LimitExceeded("no", retry_after=1)

    frame = Frame()
    running = asyncio.create_task(frame.run(body))
    await giving.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert frame.entry["outcome"] == "stopped"
