"""One entry a request, closed exactly once, with the right outcome, whatever happens inside the frame."""

import asyncio
import gc
import weakref

import msgspec
import pytest

from shared.account import Flight
from shared.asgi import Exchange, Message
from shared.dialects.plain import Plain
from shared.errors import BadRequest, Forbidden, Killed, LimitExceeded, UpstreamBroken, UpstreamTimeout
from shared.identity.principal import Trace
from tests.support.exchange import exchange
from tests.support.frame import CALLER, Frame, OpenWire
from tests.support.wait import SECONDS, eventually


async def answer(_: Flight, one: Exchange) -> None:
    await one.reply(200, [], b"ok")


async def test_a_completed_request_is_on_record_before_its_last_byte() -> None:
    frame = Frame()
    entry = await frame.run(answer)
    assert (entry["outcome"], entry["status"], frame.wire.body) == ("completed", 200, b"ok")
    assert frame.ledger.sent == [0]
    started = dict(frame.wire.sent[0]["headers"])
    assert started[b"x-gatestack-chain"] == b"c1"
    assert started[b"x-gatestack-call"].decode() == entry["id"]


@pytest.mark.parametrize(
    ("error", "outcome", "status"),
    [
        (BadRequest("no"), "refused", 400),
        (Forbidden("no"), "refused", 403),
        (Killed("no"), "killed", 403),
        (LimitExceeded("no", retry_after=3.2), "refused", 429),
        (UpstreamTimeout("no"), "failed", 504),
    ],
)
async def test_what_a_stage_raises_is_rendered_and_recorded(
    error: Exception, outcome: str, status: int
) -> None:
    async def stage(_: Flight, __: Exchange) -> None:
        raise error

    frame = Frame()
    entry = await frame.run(stage)
    assert (entry["outcome"], entry["status"], frame.wire.sent[0]["status"]) == (outcome, status, status)
    assert b'"error"' in frame.wire.body
    if status == 429:
        assert dict(frame.wire.sent[0]["headers"])[b"retry-after"] == b"4"
    if status == 403 and outcome == "refused":
        assert entry["decision"] == "deny"


async def test_a_mistake_of_ours_is_a_500_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def stage(_: Flight, __: Exchange) -> None:
        raise ValueError("the secret is 42")

    frame = Frame()
    entry = await frame.run(stage)
    assert (entry["outcome"], entry["reason"], frame.wire.sent[0]["status"]) == ("failed", "fault", 500)
    assert b"42" not in frame.wire.body
    assert "42" in caplog.text


async def test_a_stage_that_answers_nothing_is_a_mistake_of_ours() -> None:
    async def stage(_: Flight, __: Exchange) -> None:
        return

    assert (await Frame().run(stage))["status"] == 500


async def test_a_failure_after_the_first_byte_ends_the_stream_in_the_callers_dialect() -> None:
    async def stage(_: Flight, one: Exchange) -> None:
        await one.start(200, [])
        await one.write(b"data: 1\n\n")
        raise UpstreamBroken("the upstream's answer was cut off")

    frame = Frame()
    entry = await frame.run(stage)
    assert entry["outcome"] == "broken"
    assert frame.wire.body.startswith(b"data: 1\n\ndata: {")
    assert frame.wire.sent[-1]["more_body"] is False


async def test_where_the_dialect_has_no_such_event_the_connection_is_cut() -> None:
    async def stage(_: Flight, one: Exchange) -> None:
        await one.start(200, [])
        await one.write(b"half")
        raise UpstreamBroken("the upstream's answer was cut off")

    frame = Frame(dialect=Plain())
    with pytest.raises(UpstreamBroken):
        await frame.run(stage)
    assert frame.entry["outcome"] == "broken"
    assert frame.wire.sent[-1]["more_body"] is True


async def test_a_client_that_leaves_ends_the_request_and_runs_its_clean_up() -> None:
    cleaned = asyncio.Event()

    async def clean() -> None:
        cleaned.set()

    async def stage(flight: Flight, one: Exchange) -> None:
        flight.on_cut.append(clean)
        await one.body(10)
        assert isinstance(frame.wire, OpenWire)
        frame.wire.gone.set()
        await asyncio.wait_for(asyncio.Event().wait(), 5)

    frame = Frame()
    entry = await frame.run(stage)
    assert (entry["outcome"], entry["reason"]) == ("client_gone", "client_gone")
    assert frame.wire.sent == []
    assert cleaned.is_set()


async def test_a_request_that_stays_is_brought_to_its_end_without_its_client() -> None:
    noticed = asyncio.Event()

    class Leaving(OpenWire):
        async def receive(self) -> Message:
            message = await super().receive()
            if message["type"] == "http.disconnect":
                noticed.set()
            return message

    async def stage(flight: Flight, one: Exchange) -> None:
        flight.stay()
        await one.body(10)
        wire.gone.set()
        await asyncio.wait_for(noticed.wait(), SECONDS)
        await asyncio.sleep(0)
        await one.reply(200, [])

    wire = Leaving()
    entry = await Frame(wire).run(stage)
    assert (entry["outcome"], entry["status"]) == ("completed", 200)


@pytest.mark.parametrize("started", [False, True])
async def test_a_kill_cuts_what_is_in_flight(started: bool) -> None:
    cleaned: list[str] = []

    async def clean() -> None:
        cleaned.append("upstream")

    async def broken_clean() -> None:
        raise RuntimeError("the upstream is gone too")

    async def stage(flight: Flight, one: Exchange) -> None:
        flight.on_cut += [broken_clean, clean]
        if started:
            await one.start(200, [])
            await one.write(b"data: 1\n\n")
        assert frame.kills.cut is not None
        asyncio.get_running_loop().call_soon(frame.kills.cut, Killed("stopped by the operator"))
        await asyncio.wait_for(asyncio.Event().wait(), 5)

    frame = Frame()
    entry = await frame.run(stage)
    assert (entry["outcome"], entry["reason"]) == ("killed", "killed")
    assert b"stopped by the operator" in frame.wire.body
    assert frame.wire.sent[0]["status"] == (200 if started else 403)
    assert cleaned == ["upstream"]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


class StalledWire(OpenWire):
    """A client that reads nothing of what ends its stream until the test lets it go."""

    async def send(self, message: Message) -> None:
        if not message.get("more_body", True):
            await self.gone.wait()
        await super().send(message)


async def test_a_client_that_does_not_read_cannot_keep_alive_what_was_killed() -> None:
    async def clean() -> None:
        cleaned.set()

    async def stage(flight: Flight, one: Exchange) -> None:
        flight.on_cut.append(clean)
        await one.start(200, [])
        assert frame.kills.cut is not None
        asyncio.get_running_loop().call_soon(frame.kills.cut, Killed("stopped by the operator"))
        await asyncio.wait_for(asyncio.Event().wait(), 5)

    cleaned, wire = asyncio.Event(), StalledWire()
    frame = Frame(wire)
    running = asyncio.create_task(frame.run(stage))
    await asyncio.wait_for(cleaned.wait(), SECONDS)
    assert not running.done()
    wire.gone.set()
    assert (await running)["outcome"] == "killed"


async def test_a_kill_that_comes_too_late_changes_nothing() -> None:
    async def stage(_: Flight, one: Exchange) -> None:
        await one.reply(200, [], b"ok")
        assert frame.kills.cut is not None
        frame.kills.cut(Killed("late"))

    frame = Frame()
    assert (await frame.run(stage))["outcome"] == "completed"


async def test_a_stopping_server_is_told_apart_and_its_cancellation_goes_on() -> None:
    waiting = asyncio.Event()

    async def stage(_: Flight, __: Exchange) -> None:
        waiting.set()
        await asyncio.wait_for(asyncio.Event().wait(), 5)

    frame = Frame()
    task = asyncio.create_task(frame.run(stage))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert frame.entry["outcome"] == "stopped"


async def test_a_killed_caller_is_refused_before_anything_else() -> None:
    frame = Frame()
    frame.kills.refuse = Killed("no")
    entry = await frame.run(answer)
    assert (entry["outcome"], entry["caller"]["chain"]) == ("killed", "c1")


@pytest.mark.parametrize(
    ("inbound", "parent"),
    [
        (None, "b" * 16),
        ("00-" + "a" * 32 + "-" + "c" * 16 + "-01", "c" * 16),
        ("00-" + "d" * 32 + "-" + "c" * 16 + "-01", "b" * 16),
    ],
)
async def test_a_signed_trace_decides_and_a_header_only_refines_it(inbound: str | None, parent: str) -> None:
    headers = {"traceparent": inbound} if inbound else {}
    frame = Frame()
    frame.exchange = exchange(wire=frame.wire, headers=headers)
    signed = msgspec.structs.replace(CALLER, trace=Trace(trace_id="a" * 32, span_id="b" * 16, sampled=True))
    async with frame.account(frame.exchange, frame.dialect) as flight:
        flight.identify(signed)
        await frame.exchange.reply(200, [], b"")
    # Not within: there, what is wrong would only end the request.
    assert flight._parent is not None
    assert (flight.trace.trace_id, flight._parent.span_id) == ("a" * 32, parent)


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("error", [None, BadRequest("no"), ValueError("a mistake")])
async def test_all_that_a_request_has_made_goes_with_it(
    error: Exception | None, long: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.account._PATIENCE_SECONDS", 0.0 if long else SECONDS)
    made: list[weakref.ref[object]] = []

    async def stage(flight: Flight, one: Exchange) -> None:
        async def cut() -> None:
            flight.check()

        flight.on_cut.append(cut)
        made.extend((weakref.ref(flight), weakref.ref(one)))
        await one.body(10)
        if long:
            # From then on somebody looks whether its client is still there.
            await eventually(lambda: flight._watch is not None)
        if error is not None:
            raise error.with_traceback(None)
        await answer(flight, one)

    # The garbage collector would find it as well, at the price of a tenth of all calls.
    frame = Frame()
    gc.disable()
    try:
        await frame.run(stage)
        frame.kills.cut = None
        del frame
        if error is not None:
            error.__traceback__ = None
        await eventually(lambda: [each() for each in made] == [None, None])
    finally:
        gc.enable()
