"""A key's own limits: how they are written, and that they hold over every service."""

import msgspec
import pytest

from shared.errors import LimitExceeded
from shared.identity.principal import Bounds, ChainBudget
from shared.limits.facts import caller_facts
from shared.limits.limiter import Limiter
from shared.limits.own import problems, read
from shared.limits.plan import Estimate, plan
from tests.support.serve import someone

# Over a month: no test that runs at a full hour sees a counter start anew.
LIMITS = ("requests/month=3", "tokens/month=100", "tool_calls/total=2", "micros/month=50")


@pytest.mark.parametrize(
    ("text", "unit", "window", "amount"),
    [
        ("requests/minute=600", "requests", "minute", 600),
        ("micros/month=0", "micros", "month", 0),
        ("tokens_out/total=7", "tokens_out", "total", 7),
    ],
)
def test_a_limit_is_a_unit_a_window_and_an_amount(text: str, unit: str, window: str, amount: int) -> None:
    rule = read(text).rule
    assert (rule.unit, rule.window, rule.amount, rule.per) == (unit, window, amount, "key")


def test_what_is_no_limit_is_told_with_its_place() -> None:
    wrong = ["requests=1", "concurrency/day=1", "requests/decade=1", "wishes/day=1", "requests/day=-1", ""]
    assert [problem[:4] for problem in problems(wrong)] == [f"[{n}]:" for n in range(len(wrong))]
    assert problems(["requests/day=1", "requests/day=2"]) == ["[1]: requests/day stands here twice"]
    assert problems([f"requests/day={n}" for n in range(17)])[0] == ": a key has at most 16 limits"
    assert problems(["requests/day=1", "requests/hour=1", "concurrency=3"]) == []


async def call(limiter: Limiter, estimate: Estimate, *, key: str = "k1", credential: str = "key") -> None:
    caller = msgspec.structs.replace(
        someone(key=key), bounds=Bounds(limits=LIMITS), credential=credential, chain=f"{key}-chain"
    )
    wanted = plan([], caller_facts(caller), estimate)
    lease = await limiter.reserve(wanted, tenant="acme", chain=caller.chain, budget=ChainBudget())
    await limiter.settle(lease, estimate, tenant="acme", row=b"", hash=b"")


async def test_each_unit_is_counted_for_the_key_over_all_its_chains(limiter: Limiter) -> None:
    for _ in range(2):
        await call(limiter, Estimate(requests=0, tool_calls=1))
    with pytest.raises(LimitExceeded, match="the limit of this key"):
        await call(limiter, Estimate(requests=0, tool_calls=1))
    await call(limiter, Estimate(requests=0, tool_calls=1), key="k2")
    await call(limiter, Estimate(requests=0, tokens_in=60, model_calls=1))
    with pytest.raises(LimitExceeded):
        await call(limiter, Estimate(requests=0, tokens_in=60, model_calls=1))


async def test_a_request_is_counted_once_where_it_comes_in(limiter: Limiter) -> None:
    for _ in range(3):
        await call(limiter, Estimate())
        await call(limiter, Estimate(), credential="identity")
    with pytest.raises(LimitExceeded):
        await call(limiter, Estimate())
    await call(limiter, Estimate(), credential="identity")
