"""Kills on the way to a target: a killed one is left out, and nothing is left when all are."""

from shared.ledger.entry import Outcome
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway
from tests.support.providers import REAL_MODEL, ScriptedProvider
from tests.support.serve import someone


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
