"""What a chain may use as a whole, whoever in it does the using."""

import pytest

from shared.clock import Clock
from shared.errors import BudgetExceeded, LimitExceeded
from shared.identity.principal import ChainBudget
from shared.limits.keys import tenant_keys
from shared.limits.limiter import Limiter
from shared.limits.plan import Estimate
from shared.redis_client import Redis
from tests.shared.limits.calls import limit, reserve, settle

CALLS = {
    "micros": Estimate(micros=10, model_calls=1),
    "tokens": Estimate(tokens_in=4, tokens_out=6, model_calls=1),
    "model_calls": Estimate(model_calls=10),
    "tool_calls": Estimate(tool_calls=10),
    "agent_calls": Estimate(agent_calls=10),
}


@pytest.mark.parametrize("dimension", CALLS)
async def test_a_chain_stops_at_its_budget(limiter: Limiter, dimension: str) -> None:
    budget, call = ChainBudget(**{dimension: 25}), CALLS[dimension]
    for _ in range(2):
        await settle(limiter, await reserve(limiter, [], call, chain="c", budget=budget), call)
    with pytest.raises(BudgetExceeded, match=r"is 25 .*: 20 are used .* needs 10") as caught:
        await reserve(limiter, [], call, chain="c", budget=budget)
    assert caught.value.data == {"budget": dimension, "amount": 25, "used": 20}
    await reserve(limiter, [], call, chain="another", budget=budget)


async def test_a_chain_stops_when_its_time_is_over(limiter: Limiter, redis: Redis) -> None:
    await reserve(limiter, [], chain="c", budget=ChainBudget(seconds=60))
    began = int((await redis.execute("TIME"))[0]) - 61
    await redis.execute("HSET", "gs:{acme}:chain:c", "started", f"{began}000000")
    with pytest.raises(BudgetExceeded, match=r"may run for 60 s and began 6\d s ago"):
        await reserve(limiter, [], chain="c")


async def test_a_budget_of_no_time_stops_the_first_call(limiter: Limiter) -> None:
    with pytest.raises(BudgetExceeded):
        await reserve(limiter, [], chain="c", budget=ChainBudget(seconds=0))


async def test_the_narrowest_budget_ever_presented_wins(limiter: Limiter) -> None:
    call = Estimate(tool_calls=1)
    await reserve(limiter, [], call, chain="c", budget=ChainBudget(tool_calls=9, micros=5))
    await reserve(limiter, [], call, chain="c", budget=ChainBudget(tool_calls=2))
    with pytest.raises(BudgetExceeded, match="is 2 tool calls"):
        await reserve(limiter, [], call, chain="c", budget=ChainBudget(tool_calls=100, micros=100))
    assert (await limiter.state("acme", "c")).budget == ChainBudget(tool_calls=2, micros=5)


async def test_even_a_refused_call_narrows_the_budget_of_a_chain_that_runs(limiter: Limiter) -> None:
    call = Estimate(tool_calls=1)
    await reserve(limiter, [], call, chain="c")
    with pytest.raises(BudgetExceeded):
        await reserve(limiter, [], call, chain="c", budget=ChainBudget(tool_calls=1))
    with pytest.raises(BudgetExceeded):
        await reserve(limiter, [], call, chain="c")


async def test_a_refused_first_call_begins_no_chain(limiter: Limiter, redis: Redis) -> None:
    with pytest.raises(BudgetExceeded):
        await reserve(limiter, [limit(5)], Estimate(tool_calls=2), budget=ChainBudget(tool_calls=1))
    assert await redis.execute("DBSIZE") == 0


async def test_a_call_refused_by_a_limit_costs_its_chain_nothing(limiter: Limiter) -> None:
    call, budget = Estimate(tool_calls=1), ChainBudget(tool_calls=5)
    await reserve(limiter, [limit(1)], call, chain="c", budget=budget)
    with pytest.raises(LimitExceeded):
        await reserve(limiter, [limit(1)], call, chain="c", budget=budget)
    assert (await limiter.state("acme", "c")).tool_calls == 1


async def test_a_call_refused_by_the_budget_costs_its_limits_nothing(limiter: Limiter) -> None:
    call, budget = Estimate(tool_calls=1), ChainBudget(tool_calls=1)
    first = await reserve(limiter, [limit(5)], call, chain="c", budget=budget)
    with pytest.raises(BudgetExceeded):
        await reserve(limiter, [limit(5)], call, chain="c", budget=budget)
    assert (await reserve(limiter, [limit(5)], call)).counts[0] == first.counts[0] - 1


async def test_settling_replaces_the_estimate_in_the_chain_too(limiter: Limiter) -> None:
    budget = ChainBudget(tokens=1000, micros=1000)
    call = Estimate(tokens_out=900, micros=900, model_calls=1)
    lease = await reserve(limiter, [], call, chain="c", budget=budget)
    with pytest.raises(BudgetExceeded):
        await reserve(limiter, [], call, chain="c", budget=budget)
    await settle(limiter, lease, Estimate(tokens_in=10, tokens_out=20, micros=40, model_calls=1))
    await reserve(limiter, [], call, chain="c", budget=budget)
    state = await limiter.state("acme", "c")
    assert (state.tokens, state.micros, state.model_calls) == (930, 940, 2)


async def test_money_beyond_the_budget_stops_every_kind_of_call_but_not_the_uncounted(
    limiter: Limiter,
) -> None:
    budget = ChainBudget(micros=100)
    lease = await reserve(limiter, [], Estimate(micros=90, model_calls=1), chain="c", budget=budget)
    await settle(limiter, lease, Estimate(micros=130, model_calls=1))
    with pytest.raises(BudgetExceeded, match="is 100 micro-dollars: 130 are used"):
        await reserve(limiter, [], Estimate(tool_calls=1), chain="c")
    await reserve(limiter, [], Estimate(), chain="c")


async def test_chains_of_two_tenants_with_one_id_have_nothing_in_common(limiter: Limiter) -> None:
    call, budget = Estimate(tool_calls=1), ChainBudget(tool_calls=1)
    await reserve(limiter, [], call, chain="c", budget=budget, taint=["reads:private"])
    await reserve(limiter, [], call, chain="c", budget=budget, tenant="zeta")
    assert (await limiter.state("zeta", "c")).taint == frozenset()


async def test_taint_collects_and_comes_back_with_the_lease_that_adds_some(limiter: Limiter) -> None:
    first = await reserve(limiter, [], chain="c", taint=["reads:private"])
    assert first.taint == ("reads:private",)
    assert (await reserve(limiter, [], chain="c")).taint == ()
    second = await reserve(limiter, [limit(5)], chain="c", taint=["content:untrusted", "reads:private"])
    assert sorted(second.taint) == ["content:untrusted", "reads:private"]
    assert (await limiter.state("acme", "c")).taint == {"content:untrusted", "reads:private"}


async def test_taint_can_be_added_apart_from_any_call(limiter: Limiter, redis: Redis) -> None:
    await limiter.taint("acme", "c", ["content:untrusted"])
    assert (await limiter.state("acme", "c")).taint == {"content:untrusted"}
    assert 86_000 < int(await redis.execute("TTL", tenant_keys("acme").chain("c"))) <= 86_400
    await reserve(limiter, [], Estimate(tool_calls=1), chain="c", budget=ChainBudget(tool_calls=1))
    assert (await limiter.state("acme", "c")).tool_calls == 1
    assert (await limiter.state("acme", "c")).taint == {"content:untrusted"}


async def test_a_chain_that_is_unknown_has_used_nothing(limiter: Limiter) -> None:
    state = await limiter.state("acme", "nobody")
    assert (state.started, state.tokens, state.taint, state.budget) == (0, 0, frozenset(), ChainBudget())


async def test_the_state_tells_when_the_chain_began(limiter: Limiter, redis: Redis) -> None:
    await reserve(limiter, [], chain="c")
    seconds, micros = await redis.execute("TIME")
    now = int(seconds) * 1_000_000 + int(micros)
    started = (await limiter.state("acme", "c")).started
    assert now - 5_000_000 < started <= now


async def test_a_chain_with_a_budget_or_taint_is_kept_for_a_day(limiter: Limiter, redis: Redis) -> None:
    await reserve(limiter, [], chain="budget", budget=ChainBudget(seconds=5))
    await reserve(limiter, [], chain="budget")
    await reserve(limiter, [], chain="taint", taint=["x"])
    await reserve(limiter, [], chain="taint")
    await reserve(limiter, [], chain="plain")
    ends = [await redis.execute("TTL", f"gs:{{acme}}:chain:{name}") for name in ("budget", "taint", "plain")]
    assert ends == [86400, 86400, 4200]


async def test_what_an_orphan_held_of_the_budget_comes_back(redis: Redis) -> None:
    orphaned = Limiter(redis, Clock(), lease_seconds=0)
    call, budget = Estimate(agent_calls=1), ChainBudget(agent_calls=1)
    for _ in range(3):
        await reserve(orphaned, [], call, chain="c", budget=budget)
