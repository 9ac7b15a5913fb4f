"""What every store must do, whatever the database: run on SQLite and on PostgreSQL."""

import asyncio
import random
from typing import Any

import pytest

from shared.errors import BadRequest
from shared.ledger.entry import Entry, Outcome, Usage
from shared.ledger.row import SealedRow, opened
from shared.store import EntryFilter, SpendLine, SpendQuery, Store, open_store
from shared.store.columns import DAY_US, HOUR_US
from tests.support.rows import START_US, caller, chained, entry, sealed


def spent(micros: int, tokens_in: int = 0, tokens_out: int = 0, **fields: Any) -> Entry:
    usage = Usage(tokens_in=tokens_in, tokens_out=tokens_out)
    return entry(usage=usage, cost_micros=micros, **fields)


def totals(lines: list[SpendLine]) -> dict[str, tuple[int, int]]:
    return {"/".join(line.group.values()): (line.calls, line.cost_micros) for line in lines}


async def test_a_batch_is_kept_once_however_often_it_arrives(store: Store) -> None:
    rows = chained([spent(10) for _ in range(5)])
    assert await store.append(rows) == 5
    assert await store.append(rows) == 0
    assert await store.append([*rows, *rows, sealed(spent(7), seq=6)]) == 1
    assert await store.append([]) == 0
    assert totals(await store.spend(SpendQuery(tenant=None))) == {"": (6, 57)}


async def test_drains_that_append_the_same_rows_at_once_neither_double_nor_lose_any(store: Store) -> None:
    rows = chained([spent(1, started_at=START_US + n * 40_000_000) for n in range(400)])
    batches = [rows[start : start + 100] for start in range(0, 400, 20) for _ in range(3)]
    shuffled = [random.sample(batch, len(batch)) for batch in random.sample(batches, len(batches))]
    new = await asyncio.gather(*(store.append(batch) for batch in shuffled))
    assert sum(new) == 400
    assert totals(await store.spend(SpendQuery(tenant=None))) == {"": (400, 400)}
    assert await store.rollup_gap() == ""


async def test_what_was_appended_is_there_after_a_restart(url: str) -> None:
    first = open_store(url)
    await first.append(chained([spent(3)]))
    await first.close()
    second = open_store(url)
    assert totals(await second.spend(SpendQuery(tenant=None))) == {"": (1, 3)}
    await second.close()


async def test_processes_that_open_an_empty_database_together_make_one_schema(url: str) -> None:
    stores = [open_store(url) for _ in range(4)]
    assert await asyncio.gather(*(store.append([sealed(spent(1))]) for store in stores)) == [1, 1, 1, 1]
    assert len(await stores[0].entries(EntryFilter(tenant=None))) == 4
    for store in stores:
        await store.close()


async def test_a_chain_is_read_whole_and_in_order_and_only_by_its_tenant(store: Store) -> None:
    alice = caller(chain="c1", agents=("agent:planner",))
    calls = [entry(alice, started_at=START_US + offset) for offset in (3, 1, 2)]
    await store.append(chained([*calls, entry(caller(chain="c2"))]))
    assert [row.started_at - START_US for row in await store.chain("c1", "acme")] == [1, 2, 3]
    assert [row.actors for row in await store.chain("c1", None)] == [("user:alice", "agent:planner")] * 3
    assert await store.chain("c1", "globex") == []


async def test_every_field_of_a_row_comes_back(store: Store) -> None:
    row = sealed(spent(5, 10, 20, findings=("pii", "secret"), digest="d", tool="time/now", trace_id="t" * 32))
    await store.append([row])
    assert await store.entries(EntryFilter(tenant=None)) == [opened(row.body)]


async def test_a_row_whose_texts_and_numbers_no_database_takes_is_kept_all_the_same(store: Store) -> None:
    usage = Usage(tokens_in=2**70, tokens_out=-5)
    odd = entry(
        caller(sub="user:\x00nul"), model="\x00m" * 9000, usage=usage, cost_micros=10**30, started_at=2**80
    )
    assert await store.append(chained([odd, odd, spent(1)])) == 2
    (line,) = await store.spend(SpendQuery(tenant="acme", model="*m*"))
    assert (line.calls, line.cost_micros, line.tokens_out) == (1, 10**15, 0)
    assert await store.rollup_gap() == ""


async def test_entries_are_found_by_who_what_and_when_newest_first(store: Store) -> None:
    through_planner = caller(agents=("agent:planner",), key="k1")
    calls = [
        entry(caller("user:bob"), started_at=START_US + 1, model="gpt-5"),
        entry(through_planner, started_at=START_US + 2, model="claude-x", resource="model:claude-x"),
        entry(caller("agent:planner"), started_at=START_US + 3, outcome=Outcome.REFUSED, decision="deny"),
        entry(caller("user:bob", "globex"), started_at=START_US + 4),
    ]
    await store.append(chained(calls))

    async def found(**wanted: object) -> list[int]:
        rows = await store.entries(EntryFilter(**{"tenant": "acme", **wanted}))  # type: ignore[arg-type]
        return [row.started_at - START_US for row in rows]

    assert await found() == [3, 2, 1]
    assert await found(tenant=None) == [4, 3, 2, 1]
    assert await found(who="agent:planner") == [3, 2]
    assert await found(who="user:bob", tenant="globex") == [4]
    assert await found(outcome="refused") == [3]
    assert await found(model="claude*") == await found(key="k1") == await found(resource="model:c*") == [2]
    assert await found(since_us=START_US + 2, until_us=START_US + 3) == [2]
    assert await found(limit=1) == [3]


async def test_spend_is_summed_by_every_dimension(store: Store) -> None:
    alice = caller("user:alice", team="support", project="p1", key="k1", agents=("agent:planner",))
    bob = caller("user:bob", "globex", team="sales", project="p2", key="k2")
    tomorrow = START_US + DAY_US
    calls = [
        entry(
            alice,
            model="claude-4",
            provider="anthropic",
            cost_micros=100,
            usage=Usage(tokens_in=1, tokens_out=2),
        ),
        entry(alice, model="gpt-5", provider="openai", cost_micros=30),
        entry(bob, model="gpt-5", provider="openai", cost_micros=7, started_at=tomorrow),
        entry(bob, service="mcp_gateway", server="git", tool="git/log", started_at=tomorrow),
    ]
    await store.append(chained(calls))
    expected = {
        ("team",): {"support": (2, 130), "sales": (2, 7)},
        ("principal",): {"user:alice": (2, 130), "user:bob": (2, 7)},
        ("agent",): {"agent:planner": (2, 130), "user:bob": (2, 7)},
        ("model",): {"claude-4": (1, 100), "gpt-5": (2, 37), "": (1, 0)},
        ("provider",): {"anthropic": (1, 100), "openai": (2, 37), "": (1, 0)},
        ("tenant",): {"acme": (2, 130), "globex": (2, 7)},
        ("project",): {"p1": (2, 130), "p2": (2, 7)},
        ("key",): {"k1": (2, 130), "k2": (2, 7)},
        ("tool",): {"": (3, 137), "git/log": (1, 0)},
        ("server",): {"": (3, 137), "git": (1, 0)},
        ("service",): {"llm_gateway": (3, 137), "mcp_gateway": (1, 0)},
        ("day",): {"2027-01-15": (2, 130), "2027-01-16": (2, 7)},
        ("team", "model"): {
            "support/claude-4": (1, 100),
            "support/gpt-5": (1, 30),
            "sales/gpt-5": (1, 7),
            "sales/": (1, 0),
        },
        (): {"": (4, 137)},
    }
    for by, sums in expected.items():
        assert totals(await store.spend(SpendQuery(by=by, tenant=None))) == sums, by
    (first, *_) = await store.spend(SpendQuery(by=("model",), tenant=None))
    assert first == SpendLine({"model": "claude-4"}, 1, 1, 2, 100)


async def test_spend_filters_match_whole_values_and_globs_with_case(store: Store) -> None:
    models = ("claude-4", "Claude-5", "gpt_5", "gptx5", "100%", "a[b]c", "back\\slash")
    await store.append(chained([entry(model=model, cost_micros=1) for model in models]))

    async def found(pattern: str) -> set[str]:
        lines = await store.spend(SpendQuery(by=("model",), tenant=None, model=pattern))
        return {line.group["model"] for line in lines}

    assert await found("claude*") == {"claude-4"}
    assert await found("*laude-?") == {"claude-4", "Claude-5"}
    assert await found("claude") == set()
    assert await found("gpt_*") == {"gpt_5"}
    assert await found("100%*") == {"100%"}
    assert await found("a[b]*") == {"a[b]c"}
    assert await found("back\\*") == {"back\\slash"}


async def test_a_tenant_sees_its_own_spend_even_if_its_name_looks_like_a_pattern(store: Store) -> None:
    await store.append(chained([entry(caller(tenant=name), cost_micros=1) for name in ("a*", "ab", "b")]))
    assert totals(await store.spend(SpendQuery(tenant="a*", by=("tenant",)))) == {"a*": (1, 1)}
    across = await store.spend(SpendQuery(tenant=None, tenants="a*", by=("tenant",)))
    assert totals(across) == {"a*": (1, 1), "ab": (1, 1)}


async def test_tenants_with_impossible_names_are_kept_apart(store: Store) -> None:
    names = ["t" * 300, "t" * 301, "nul\x00", "nul"]
    await store.append(chained([entry(caller(tenant=name, chain=name)) for name in names]))
    for name in names:
        assert [row.tenant for row in await store.entries(EntryFilter(tenant=name))] == [name]
        assert [row.tenant for row in await store.chain(name, name)] == [name]
        (line,) = await store.spend(SpendQuery(tenant=name))
        assert line.calls == 1
    assert await store.spend(SpendQuery(tenant=None, tenants="\x00*")) == []


async def test_spend_of_any_period_equals_the_sum_of_its_rows(store: Store) -> None:
    random.seed(7)
    starts = [START_US + random.randrange(3 * DAY_US) for _ in range(300)]
    starts += [START_US, START_US + HOUR_US, START_US + HOUR_US - 1, START_US + DAY_US]
    await store.append(chained([spent(1, started_at=start) for start in starts]))
    edges = [
        0,
        *random.sample(starts, 12),
        START_US,
        START_US + HOUR_US,
        START_US + 2 * DAY_US,
    ]
    for since in edges:
        for until in (*edges[::3], None):
            lines = await store.spend(SpendQuery(tenant="acme", since_us=since, until_us=until))
            expected = sum(1 for start in starts if since <= start and (until is None or start < until))
            assert totals(lines) == ({"": (expected, expected)} if expected else {})


async def test_refusals_checkpoints_and_passed_on_calls_are_no_spend(store: Store) -> None:
    quiet = [
        entry(outcome=Outcome.REFUSED, decision="deny"),
        entry(outcome=Outcome.REFUSED, decision="allow"),
        entry(outcome=Outcome.KILLED),
        entry(service="api_gateway", resource="route:llm"),
        entry(service="api_gateway", resource="admin:keys", action="manage"),
        entry(service="mcp_gateway", resource="tool:*", action="list"),
    ]
    costly = [entry(outcome=Outcome.KILLED, cost_micros=5), entry(outcome=Outcome.FAILED)]
    await store.append(chained([*quiet, *costly]))
    assert totals(await store.spend(SpendQuery(tenant=None))) == {"": (2, 5)}


async def test_an_unknown_dimension_is_refused_by_name(store: Store) -> None:
    with pytest.raises(BadRequest, match="colour"):
        await store.spend(SpendQuery(tenant=None, by=("colour",)))


async def test_the_rollups_are_compared_with_the_rows(store: Store) -> None:
    await store.append(chained([spent(1), spent(2)]))
    assert await store.rollup_gap() == ""
    await store._tell("UPDATE spend SET cost_micros = 1")  # type: ignore[attr-defined]
    assert "tenant acme" in await store.rollup_gap()


async def test_a_writers_rows_come_in_its_own_order_page_by_page(store: Store) -> None:
    rows = chained([spent(1) for _ in range(2500)], writer="w1")
    other = chained([spent(1)], writer="w2")
    await store.append([*random.sample(rows, len(rows)), *other])
    kept = [row async for row in store.rows("w1")]
    assert [SealedRow(row.body, row.hash) for row in kept] == rows
    assert [row.seq for row in kept] == list(range(1, 2501))
    assert await store.writers() == ["w1", "w2"]
