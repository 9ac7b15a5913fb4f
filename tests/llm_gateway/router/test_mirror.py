"""Copies of calls: nobody waits for them, nobody pays for them, and they are on record."""

import asyncio

from shared.ledger.entry import Outcome
from shared.ledger.row import Row
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import COST, Gateway
from tests.llm_gateway.router.live import fast, to
from tests.support.providers import Call, ScriptedProvider, completion, error, silence, stream
from tests.support.serve import someone
from tests.support.wait import SECONDS, eventually

MODELS = fast(to("main"), to("second", "copy"), mirror={"to": "copy", "concurrency": 1})


async def both(gateway: Gateway) -> tuple[Row, Row]:
    """The call's row and its copy's."""
    rows = await gateway.service.rows(2)
    copies = [row for row in rows if row.action == "mirror"]
    calls = [row for row in rows if row.action != "mirror"]
    assert (len(copies), len(calls)) == (1, 1)
    return calls[0], copies[0]


async def test_a_copy_goes_to_the_other_target_and_has_an_entry_of_its_own(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    second.will(completion("nobody sees this"))
    async with opened(provider, second, models=MODELS) as gateway:
        heard = await gateway.ask(someone(chain="c1"))
        assert b"nobody" not in heard.body
        call, copy = await both(gateway)
        assert second.last.json["messages"] == provider.last.json["messages"]
        assert (call.cost_micros, call.provider, call.attempts) == (COST, "main", 1)
        assert "mirror:to copy" in call.findings
        assert (copy.cost_micros, copy.provider, copy.outcome) == (COST, "second", Outcome.COMPLETED)
        assert (copy.chain, copy.parent, copy.actors) == ("c1", call.id, ("service:mirror",))


async def test_a_streamed_copy_is_read_to_its_end(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(stream())
    second.will(stream())
    async with opened(provider, second, models=MODELS) as gateway:
        assert (await gateway.ask(stream=True)).status == 200
        assert (await both(gateway))[1].cost_micros == COST


async def test_nobody_waits_for_a_copy_and_there_are_only_so_many(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    gate = asyncio.Event()

    async def slow(call: Call) -> None:
        await gate.wait()
        await completion()(call)

    second.will(slow)
    async with opened(provider, second, models=MODELS) as gateway:
        assert (await gateway.ask()).status == 200
        assert (await gateway.ask()).status == 200
        first, later = await gateway.service.rows(2)
        assert (first.findings, later.findings) == (("mirror:to copy",), ("mirror:skipped",))
        gate.set()
        assert (await gateway.service.rows(3))[2].action == "mirror"


async def test_a_copy_that_fails_is_nobodys_trouble(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    second.will(error(500))
    async with opened(provider, second, models=MODELS) as gateway:
        assert (await gateway.ask()).status == 200
        call, copy = await both(gateway)
        assert (call.outcome, copy.outcome, copy.reason) == (
            Outcome.COMPLETED,
            Outcome.FAILED,
            "upstream_refused",
        )


async def test_copies_are_not_counted_against_the_callers_limits(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    limits = [{"name": "two", "per": "user", "unit": "requests", "amount": 2, "window": "hour"}]
    async with opened(provider, second, models=MODELS, limits=limits) as gateway:
        for n in range(2):
            assert (await gateway.ask()).status == 200
            await gateway.service.rows(2 * (n + 1))
        assert (await gateway.ask()).status == 429


async def test_a_kill_ends_copies_that_are_under_way(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    second.will(silence)
    async with opened(provider, second, models=MODELS) as gateway:
        assert (await gateway.ask()).status == 200
        await eventually(lambda: second.calls)
        await gateway.edge.kill(gateway.service.parts, user="alice")
        assert (await both(gateway))[1].outcome == Outcome.KILLED
        await asyncio.wait_for(second.last.left.wait(), SECONDS)


async def test_copies_under_way_end_with_the_process(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    second.will(silence)
    async with opened(provider, second, models=MODELS) as gateway:
        assert (await gateway.ask()).status == 200
        await eventually(lambda: second.calls)
    await asyncio.wait_for(second.last.left.wait(), SECONDS)
