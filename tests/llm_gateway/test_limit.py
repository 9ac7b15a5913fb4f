"""What is set aside before a call, what is left after it, and what a caller is told when there is no more."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llm_gateway.limit import Counting, counts, estimate
from llm_gateway.prices import Price
from shared.identity.principal import ChainBudget
from shared.ledger.entry import Outcome, Usage
from shared.limits.rule import LimitRule
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import COST, Gateway, Heard, model_section, request, rule
from tests.llm_gateway.samples import ask, model
from tests.support.providers import REAL_MODEL, ScriptedProvider, completion, error, silence, whole
from tests.support.serve import someone
from tests.support.wait import eventually


def limit(unit: str, amount: int, per: str = "key", **more: object) -> dict[str, object]:
    return {"name": "a-limit", "per": per, "unit": unit, "amount": amount, "window": "day", **more}


async def test_the_call_past_a_limit_is_refused_and_never_sent(
    opened: Open, provider: ScriptedProvider
) -> None:
    async with opened(provider, limits=[limit("requests", 2)]) as gateway:
        caller = someone(key="k1")
        heard = [await gateway.ask(caller) for _ in range(3)]
        assert [each.status for each in heard] == [200, 200, 429]
        assert heard[2].error["code"] == "rate_limit_exceeded"
        assert "a-limit" in heard[2].error["message"]
        assert int(heard[2].headers["retry-after"]) > 0
        assert len(provider.calls) == 2
        row = (await gateway.service.rows(3))[-1]
        assert (row.outcome, row.reason, row.decision) == (Outcome.REFUSED, "limit", "allow")
        assert (await gateway.ask(someone(key="k2"))).status == 200


async def test_what_is_left_stands_in_the_headers_that_openais_clients_read(
    opened: Open, provider: ScriptedProvider
) -> None:
    limits = [limit("requests", 5), limit("tokens", 10_000, name="tokens")]
    async with opened(provider, limits=limits) as gateway:
        heard = await gateway.ask(max_tokens=100)
        found = {name: value for name, value in heard.headers.items() if name.startswith("x-ratelimit")}
        assert found["x-ratelimit-limit-requests"] == "5"
        assert found["x-ratelimit-remaining-requests"] == "4"
        assert found["x-ratelimit-limit-tokens"] == "10000"
        assert 9_000 < int(found["x-ratelimit-remaining-tokens"]) < 9_900
        assert found["x-ratelimit-reset-requests"].endswith(("s", "m", "h"))


async def test_an_estimate_is_replaced_by_what_was_really_used(
    opened: Open, provider: ScriptedProvider
) -> None:
    # A call sets aside a little over 100 tokens and uses 28: only the truth leaves room for the third.
    async with opened(provider, limits=[limit("tokens", 180, per="team")]) as gateway:
        for _ in range(3):
            assert (await gateway.ask(max_tokens=100)).status == 200
        assert (await gateway.ask(max_tokens=100)).status == 429


async def test_money_is_limited_at_the_dearest_price_and_settled_at_the_real_one(
    opened: Open, provider: ScriptedProvider
) -> None:
    async with opened(provider, limits=[limit("micros", 450, per="team")]) as gateway:
        assert (await gateway.ask(max_tokens=100)).status == 200
        assert (await gateway.ask(max_tokens=120)).status == 429
        assert (await gateway.ask(max_tokens=1)).status == 200
        assert sum(row.cost_micros for row in await gateway.service.rows(3)) == 2 * COST


async def test_a_failed_call_gives_back_all_but_the_request(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(error(400), completion())
    async with opened(provider, limits=[limit("tokens", 150, per="team")]) as gateway:
        assert (await gateway.ask(max_tokens=100)).status == 400
        assert (await gateway.ask(max_tokens=100)).status == 200


async def test_a_caller_that_leaves_gives_back_what_it_did_not_use(
    opened: Open, provider: ScriptedProvider
) -> None:
    provider.will(silence, completion())
    async with opened(provider, limits=[limit("concurrency", 1, per="team")]) as gateway:
        asking = asyncio.create_task(gateway.ask())
        await eventually(lambda: provider.calls)
        assert (await gateway.ask()).status == 429
        asking.cancel()
        await gateway.service.rows(2)
        assert (await gateway.ask()).status == 200


async def test_many_at_once_never_spend_more_than_there_is(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, limits=[limit("requests", 10, per="team")]) as gateway:
        heard = await asyncio.gather(*(gateway.ask() for _ in range(40)))
        assert sorted(each.status for each in heard) == [200] * 10 + [429] * 30
        assert len(provider.calls) == 10


async def test_a_chain_stops_at_its_budget(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, chain={"budget": {"model_calls": 3}}) as gateway:
        caller = someone()
        heard = [await gateway.ask(caller) for _ in range(4)]
        assert [each.status for each in heard] == [200, 200, 200, 429]
        assert heard[3].error["code"] == "insufficient_quota"
        assert heard[3].headers["x-should-retry"] == "false"
        assert (await gateway.ask(someone())).status == 200


async def test_a_callers_own_budget_narrows_the_chains(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, chain={"budget": {"model_calls": 3}}) as gateway:
        caller = someone(budget=ChainBudget(model_calls=1))
        assert [(await gateway.ask(caller)).status for _ in range(2)] == [200, 429]
        wider = someone(budget=ChainBudget(model_calls=9))
        assert [(await gateway.ask(wider)).status for _ in range(4)] == [200, 200, 200, 429]


@pytest.mark.parametrize("limits", [[], [limit("micros", 10**15)], [limit("tokens", 10**15)]])
async def test_the_longest_answer_there_could_be_is_no_mistake_of_ours(
    opened: Open, provider: ScriptedProvider, limits: list[dict[str, object]]
) -> None:
    models = {"fast": model_section(price={"in": 10**10, "out": 10**10})}
    async with opened(provider, limits=limits, models=models, chain={"budget": {}}) as gateway:
        heard = await gateway.ask(max_tokens=2**31 - 1, n=1024)
        assert heard.status in (200, 429)
        assert (await gateway.ask(max_tokens=1)).status == 200


@pytest.mark.parametrize(("said", "expected"), [(0, 1_000), (50, 50)])
def test_an_answer_of_unknown_length_sets_aside_the_configured_one(said: int, expected: int) -> None:
    priced = model(Price(tokens_in=1_000_000, tokens_out=2_000_000), default_output_tokens=1_000)
    found = estimate(priced, ask(tokens_in=10, tokens_out=said))
    assert (found.tokens_in, found.tokens_out, found.micros) == (10, expected, 10 + 2 * expected)
    assert (found.requests, found.model_calls) == (1, 1)


TAGS = "x-gatestack-tags"


async def tagged(gateway: Gateway, tags: str, **members: object) -> Heard:
    headers = gateway.identity() | {TAGS: tags}
    return await gateway.hear(request(**members), headers=headers)


async def test_a_call_counts_for_each_of_its_tags_and_the_row_names_them(
    opened: Open, provider: ScriptedProvider
) -> None:
    async with opened(provider, limits=[limit("requests", 2, per="tag")]) as gateway:
        heard = [(await tagged(gateway, tags)).status for tags in ("a,b", "b", "b,c", "a", "a", "c")]
        assert heard == [200, 200, 429, 200, 429, 200]
        assert [row.tags for row in await gateway.service.rows(6)][:3] == [("a", "b"), ("b",), ("b", "c")]
        assert (await gateway.ask()).status == 200


async def test_what_is_no_list_of_tags_is_refused(plain: Gateway) -> None:
    heard = await tagged(plain, "no tag")
    assert heard.status == 400
    assert TAGS in heard.error["message"]


async def test_policy_reads_tags(opened: Open, provider: ScriptedProvider) -> None:
    policy = {"rules": [rule(cond='"beta" in tags')]}
    async with opened(provider, policy=policy) as gateway:
        assert (await tagged(gateway, "beta,x")).status == 200
        assert (await tagged(gateway, "x")).status == 404
        assert (await gateway.ask()).status == 404


async def test_a_rule_counts_calls_by_who_is_asked_first(opened: Open, provider: ScriptedProvider) -> None:
    limits = [limit("requests", 1, per="provider", match={"provider": "main"})]
    async with opened(provider, limits=limits) as gateway:
        assert [(await gateway.ask()).status for _ in range(2)] == [200, 429]


LONG: dict[str, Any] = {"messages": [{"role": "user", "content": "word " * 800}], "max_tokens": 1}


@pytest.mark.parametrize(
    ("counting", "unit", "counted"),
    [
        ("limited", "tokens", True),
        ("limited", "micros", True),
        ("limited", "requests", False),
        ("always", "requests", True),
        ("never", "tokens", False),
    ],
)
async def test_tokens_are_counted_where_a_limit_is_on_tokens_or_money(
    opened: Open, provider: ScriptedProvider, counting: str, unit: str, counted: bool
) -> None:
    # Without a provider's count the estimate is what is billed.
    provider.will(completion(usage=None))
    limits = [limit(unit, 10**9)]
    async with opened(provider, limits=limits, count_tokens=counting) as gateway:
        assert (await gateway.ask(**LONG)).status == 200
        [row] = await gateway.service.rows(1)
        assert row.findings == ("usage:estimated",)
        assert (row.tokens_in == 808) == counted
        assert counted or row.tokens_in > 1_000


async def test_a_callers_own_budget_is_counted_too(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(completion(usage=None))
    async with opened(provider) as gateway:
        for caller in (someone(), someone(budget=ChainBudget(tokens=5_000))):
            assert (await gateway.ask(caller, **LONG)).status == 200
        everybodys, own = await gateway.service.rows(2)
        assert everybodys.tokens_in > own.tokens_in == 808


async def test_a_price_that_nobody_knows_is_a_finding(opened: Open, provider: ScriptedProvider) -> None:
    models = {"fast": model_section(price=None), "free": model_section(price={}, aliases=[])}
    async with opened(provider, models=models) as gateway:
        for name in models:
            assert (await gateway.ask(model=name)).status == 200
        unknown, free = await gateway.service.rows(2)
        assert (unknown.cost_micros, unknown.findings) == (0, ("price:unknown",))
        assert (free.cost_micros, free.findings) == (0, ())
        metrics = (await gateway.get("/metrics")).body
        assert b'gatestack_unpriced_targets{service="llm_gateway"} 1' in metrics
        assert b'gatestack_findings_total{service="llm_gateway",kind="price"} 1' in metrics


async def test_the_operators_price_list_counts_where_a_model_says_nothing(
    opened: Open, provider: ScriptedProvider, tmp_path: Path
) -> None:
    folder = tmp_path / "llm_gateway"
    folder.mkdir()
    prices = {f"main/{REAL_MODEL}": {"in": 1_000_000, "out": 1_000_000}}
    (folder / "prices.json").write_bytes(msgspec.json.encode(prices))
    models = {"fast": model_section(price=None)}
    async with opened(provider, models=models, prices_file="prices.json") as gateway:
        assert (await gateway.ask()).status == 200
        [row] = await gateway.service.rows(1)
        assert (row.cost_micros, row.findings) == (20 + 8, ())


async def test_an_alert_reaches_the_webhook_when_a_budget_is_half_gone(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    second.will(whole(b"{}"))
    limits = [limit("micros", 2 * COST + 60, per="team", alerts=[50, 80])]
    async with opened(provider, limits=limits, alerts={"webhook": second.base_url}) as gateway:
        for _ in range(2):
            assert (await gateway.ask(max_tokens=1)).status == 200
        await eventually(lambda: second.calls)
        alert = second.last.json
        assert (alert["rule"], alert["percent"], alert["used"]) == ("a-limit", 50, 2 * COST)


def test_units_and_attachments_are_set_aside_at_their_own_price() -> None:
    priced = model(
        Price(units=40_000_000_000, audio_in=9_000_000, tokens_in=1_000_000), default_output_tokens=1
    )
    found = estimate(priced, ask(tokens_in=0, units=2), Usage(tokens_in=30, audio_in=10))
    assert found.micros == 80_000 + 20 + 90


@pytest.mark.parametrize(
    ("rules", "counting", "loads"),
    [
        ([], "limited", False),
        ([limit("requests", 5)], "limited", False),
        ([limit("micros", 5)], "limited", True),
        ([limit("micros", 5)], "never", False),
        ([], "always", True),
    ],
)
def test_what_counts_is_loaded_before_the_first_call(
    rules: list[dict[str, object]], counting: Counting, loads: bool
) -> None:
    assert counts(msgspec.convert(rules, list[LimitRule]), counting) == loads
