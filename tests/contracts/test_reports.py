"""Reports from the store are what a plain walk over the rows says: on generated data, on both databases."""

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.ledger.entry import Outcome, Usage, new_id
from shared.ledger.row import Row, opened
from shared.store import ChainFilter, EntryFilter, SpendQuery, Store
from shared.store.columns import DAY_US, HOUR_US, is_spend
from tests.support.rows import START_US, caller, chained, entry

ROWS = 6_000
_BATCH = 2_000
_RNG = random.Random(6)
_MODELS = ("claude-5", "claude-4", "gpt-5", "small")


def generated(count: int) -> list[Any]:
    """Calls of 40 people in 3 tenants over 70 days, in chains of one to six, some refused, some failed."""
    calls: list[Any] = []
    while len(calls) < count:
        who = _RNG.randrange(40)
        origin = {"team": f"t{who % 5}", "project": f"p{who % 3}", "key": f"k{who}", "chain": new_id()}
        start = START_US + _RNG.randrange(70 * DAY_US)
        for step in range(_RNG.randint(1, 6)):
            agents = ("agent:planner",) if step else ()
            fields: dict[str, Any] = {"started_at": start + step * 1000}
            if _RNG.random() < 0.1:
                fields |= {"outcome": Outcome.REFUSED, "decision": "deny"}
            else:
                usage = Usage(tokens_in=_RNG.randrange(1000), tokens_out=_RNG.randrange(100))
                model = _RNG.choice(_MODELS)
                fields |= {"usage": usage, "cost_micros": _RNG.randrange(5000), "model": model}
                fields |= {"provider": model.split("-")[0], "outcome": _RNG.choice(_ENDS)}
            person = caller(f"user:u{who}", f"tenant{who % 3}", agents=agents, **origin)
            calls.append(entry(person, **fields))
    return calls[:count]


_ENDS = (Outcome.COMPLETED, Outcome.COMPLETED, Outcome.COMPLETED, Outcome.FAILED)


async def filled(store: Store, count: int) -> list[Row]:
    calls, rows = generated(count), list[Row]()
    for number, start in enumerate(range(0, count, _BATCH)):
        batch = chained(calls[start : start + _BATCH], f"llm_gateway-{number}")
        await store.append(batch)
        rows += [opened(sealed.body) for sealed in batch]
    return rows


def summed(
    rows: list[Row], group: Callable[[Row], tuple[str, ...]]
) -> dict[tuple[str, ...], tuple[int, ...]]:
    sums: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        if is_spend(row):
            amounts = (1, row.tokens_in, row.tokens_out, row.cost_micros)
            sums[group(row)] = [a + b for a, b in zip(sums[group(row)], amounts, strict=True)]
    return {name: tuple(total) for name, total in sums.items()}


def stamp(row: Row, form: str) -> str:
    return datetime.fromtimestamp(row.started_at / 1_000_000, UTC).strftime(form)


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_generated_rows_add_up_by_every_dimension_and_period(store: Store) -> None:
    rows = await filled(store, ROWS)
    since, until = START_US + 3 * HOUR_US + 17, START_US + 50 * DAY_US + 5
    part = [row for row in rows if since <= row.started_at < until]
    groups: dict[tuple[str, ...], Callable[[Row], tuple[str, ...]]] = {
        ("team", "model"): lambda row: (row.team, row.model),
        ("tenant", "month"): lambda row: (row.tenant, stamp(row, "%Y-%m")),
        ("day",): lambda row: (stamp(row, "%Y-%m-%d"),),
        ("hour", "provider"): lambda row: (stamp(row, "%Y-%m-%dT%H:00Z"), row.provider),
        ("principal", "agent", "key"): lambda row: (row.principal, row.actor, row.key),
    }
    for by, group in groups.items():
        found = await store.spend(SpendQuery(by=by, tenant=None, since_us=since, until_us=until))
        told = {
            tuple(line.group.values()): (line.calls, line.tokens_in, line.tokens_out, line.cost_micros)
            for line in found
        }
        assert told == summed(part, group), by
    claude = [row for row in part if row.tenant == "tenant1" and row.model.startswith("claude")]
    found = await store.spend(
        SpendQuery(by=("team",), tenant="tenant1", model="claude*", since_us=since, until_us=until)
    )
    assert {line.group["team"]: line.cost_micros for line in found} == {
        team: total[3] for (team,), total in summed(claude, lambda row: (row.team,)).items()
    }
    await _same_chains(store, part, since, until)
    assert await store.rollup_gap() == ""


async def _same_chains(store: Store, rows: list[Row], since: int, until: int) -> None:
    chains: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        chains[row.chain].append(row)
    period: dict[str, Any] = {"since_us": since, "until_us": until, "limit": 100_000}
    dear = await store.chains(ChainFilter(tenant=None, over_micros=15_000, **period))
    costs = {name: sum(row.cost_micros for row in calls) for name, calls in chains.items()}
    assert {line.chain: line.cost_micros for line in dear} == {
        name: cost for name, cost in costs.items() if cost >= 15_000
    }
    assert [line.cost_micros for line in dear] == sorted((line.cost_micros for line in dear), reverse=True)
    mine = await store.chains(ChainFilter(tenant="tenant1", principal="user:u7", decision="deny", **period))
    assert {line.chain: (line.calls, line.refused, line.unfinished) for line in mine} == {
        name: (
            len(calls),
            sum(row.decision == "deny" for row in calls),
            sum(row.decision != "deny" and row.outcome != "completed" for row in calls),
        )
        for name, calls in chains.items()
        if calls[0].principal == "user:u7" and any(row.decision == "deny" for row in calls)
    }


async def test_chains_are_asked_by_origin_and_by_what_they_met(store: Store) -> None:
    alice = caller(team="support", chain="c1")
    through = caller(team="support", chain="c1", agents=("agent:planner",))
    bob = caller("user:bob", "globex", chain="c2")
    calls = [
        entry(alice, started_at=START_US, resource="agent:planner", cost_micros=0, model=""),
        entry(through, started_at=START_US + 5, model="claude-5", cost_micros=70),
        entry(through, started_at=START_US + 9, outcome=Outcome.REFUSED, decision="deny", tool="crm/refund"),
        entry(bob, started_at=START_US + 20, model="gpt-5", cost_micros=10),
        entry(caller(chain=""), started_at=START_US + 30),
    ]
    await store.append(chained(calls))

    async def found(**wanted: Any) -> list[str]:
        return [line.chain for line in await store.chains(ChainFilter(**{"tenant": None, **wanted}))]

    [first, second] = await store.chains(ChainFilter(tenant=None))
    assert (first.chain, first.tenant, first.principal, first.team) == ("c1", "acme", "user:alice", "support")
    assert (first.started_at, first.last_at) == (START_US, START_US + 9)
    assert (first.calls, first.refused, first.unfinished, first.cost_micros) == (3, 1, 0, 70)
    assert second.chain == "c2"
    assert await found(order="time") == ["c2", "c1"]
    assert await found(tenant="globex") == await found(principal="user:bob") == ["c2"]
    assert await found(agent="agent:planner") == await found(tool="crm/*") == await found(team="s*") == ["c1"]
    assert await found(model="claude*", over_micros=70) == ["c1"]
    assert await found(over_micros=71) == await found(agent="nobody") == await found(tenant="x") == []
    assert await found(since_us=START_US + 10) == ["c2"]
    assert await found(until_us=START_US + 10, limit=1) == ["c1"]


async def test_entries_are_read_page_by_page_without_loss_or_repetition(store: Store) -> None:
    calls = [entry(caller(), started_at=START_US + n // 7) for n in range(50)]
    calls += [entry(decision="") for _ in range(5)]
    await store.append(chained(calls))
    seen: list[str] = []
    below: tuple[int, str] | None = None
    while page := await store.entries(EntryFilter(tenant="acme", decided=True, below=below, limit=8)):
        seen += [row.id for row in page]
        below = (page[-1].started_at, page[-1].id)
    assert sorted(seen) == sorted(call.id for call in calls if call.decision)
    assert len(set(seen)) == 50
