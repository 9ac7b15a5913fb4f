"""Who is asked first, and why; a killed target is left out, and nothing is left when all are."""

import asyncio

from shared.ledger.entry import Outcome
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway
from tests.llm_gateway.router.live import fast, to
from tests.support.providers import REAL_MODEL, Call, ScriptedProvider, completion, error
from tests.support.serve import someone
from tests.support.wait import eventually

CHEAP, DEAR = {"in": 0, "out": 1_000_000}, {"in": 0, "out": 9_000_000}


async def test_without_a_strategy_targets_are_asked_in_their_order_and_nothing_is_said_about_it(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    async with opened(provider, second) as gateway:
        for _ in range(3):
            await gateway.ask()
        assert (len(provider.calls), second.calls) == (3, [])
        assert {row.findings for row in await gateway.service.rows(3)} == {()}


async def test_the_cheapest_target_is_asked_and_the_entry_says_why(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    models = fast(to("main", price=DEAR), to("second", price=CHEAP), strategy="lowest_cost")
    async with opened(provider, second, models=models) as gateway:
        assert (await gateway.ask(max_tokens=50)).status == 200
        row = await gateway.service.row()
        assert (row.provider, row.findings) == ("second", ("routed:lowest_cost 50",))


async def test_a_target_of_another_group_is_asked_for_nothing_by_itself(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(error(500))
    models = fast(to("main"), to("second", "spare"), strategy="weighted")
    async with opened(provider, second, models=models) as gateway:
        assert (await gateway.ask()).status == 502
        assert second.calls == []


async def test_calls_go_to_the_one_that_has_less_to_do(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    gate = asyncio.Event()

    async def slow(call: Call) -> None:
        await gate.wait()
        await completion()(call)

    provider.will(slow)
    models = fast(to("main"), to("second"), strategy="least_busy")
    async with opened(provider, second, models=models) as gateway:
        waiting = asyncio.create_task(gateway.ask())
        await eventually(lambda: provider.calls)
        assert (await gateway.ask()).status == 200
        assert len(second.calls) == 1
        gate.set()
        assert (await waiting).status == 200


async def test_the_quickest_is_found_by_asking_each_once(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    models = fast(to("main"), to("second"), strategy="lowest_latency", explore=0)
    async with opened(provider, second, models=models) as gateway:
        for _ in range(4):
            assert (await gateway.ask()).status == 200
        assert min(len(provider.calls), len(second.calls)) >= 1
        first, *_, last = await gateway.service.rows(4)
        assert first.findings == ("routed:lowest_latency unknown",)
        assert last.findings[0].endswith("ms")


async def test_a_killed_provider_is_left_out(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    async with opened(provider, second) as gateway:
        await gateway.edge.kill(gateway.service.parts, provider="main")
        assert (await gateway.ask()).status == 200
        assert (provider.calls, len(second.calls)) == ([], 1)
        assert (await gateway.service.row()).provider == "second"


async def test_when_every_provider_is_killed_the_call_is(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider) as gateway:
        await gateway.edge.kill(gateway.service.parts, provider="main")
        heard = await gateway.ask()
        assert (heard.status, heard.error["code"]) == (403, "killed")
        assert provider.calls == []
        row = await gateway.service.row()
        assert (row.outcome, row.provider) == (Outcome.KILLED, "main")


async def test_a_model_is_killed_by_its_name_here_or_by_its_providers(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    for name in ("fast", REAL_MODEL):
        await plain.edge.kill(plain.service.parts, model=name)
        assert (await plain.ask()).status == 403
    await plain.edge.kill(plain.service.parts)
    assert (await plain.ask()).status == 200
    assert len(provider.calls) == 1


async def test_a_killed_agent_may_not_even_list(plain: Gateway, provider: ScriptedProvider) -> None:
    await plain.edge.kill(plain.service.parts, agent="planner")
    caller = someone("user:alice", "agent:planner")
    assert (await plain.ask(caller)).status == 403
    assert (await plain.get("/v1/models", caller=caller)).status == 403
    assert (await plain.ask()).status == 200
