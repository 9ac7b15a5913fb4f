"""The same question is answered once: for the same callers, under the same policy, in whatever form it is
asked.
"""

from typing import Any

import msgspec
import pytest

from shared.ledger.row import Row
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import COST, Gateway, rule
from tests.support.providers import ScriptedProvider, completion, error, stream
from tests.support.serve import someone
from tests.support.wait import eventually

ALICE, BOB = someone("user:alice"), someone("user:bob")
STRANGER = someone("user:eve", team="sales")
FOREIGN = someone("user:alice", tenant="globex")


async def kept(gateway: Gateway, count: int = 1) -> None:
    """Answers are on their way to Redis when the caller has theirs."""

    async def there() -> bool:
        return len(await gateway.service.parts.redis.execute("KEYS", "gs:*answer:*")) >= count

    await eventually(there)


BODY = {"model": "fast", "messages": [{"role": "user", "content": "How are you?"}]}


async def test_the_second_time_nobody_is_asked(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, cache={}) as gateway:
        first = await gateway.hear(BODY, caller=ALICE)
        await kept(gateway)
        second = await gateway.hear(BODY, caller=BOB)
        assert len(provider.calls) == 1
        said, again = (heard.json["choices"][0]["message"]["content"] for heard in (first, second))
        assert said == again == "Hello there"
        assert second.json["usage"]["total_tokens"] == first.json["usage"]["total_tokens"]
        assert "cache=miss" in first.headers["x-gatestack-answer"]
        assert "cache=hit" in second.headers["x-gatestack-answer"]
        paid, saved = await gateway.service.rows(2)
        assert (paid.cache, paid.cost_micros, paid.saved_micros) == ("miss", COST, 0)
        assert (saved.cache, saved.cost_micros, saved.saved_micros) == ("hit", 0, COST)
        assert saved.tokens_in == saved.tokens_out == 0
        assert (saved.model, saved.provider) == (paid.model, paid.provider)


async def test_the_order_of_members_and_who_asks_make_no_difference(
    opened: Open, provider: ScriptedProvider
) -> None:
    async with opened(provider, cache={}) as gateway:
        await gateway.hear(BODY, caller=ALICE)
        await kept(gateway)
        turned = dict(reversed(BODY.items())) | {"user": "u-17", "metadata": {"a": "b"}}
        assert "cache=hit" in (await gateway.hear(turned, caller=ALICE)).headers["x-gatestack-answer"]


@pytest.mark.parametrize(
    "change", [{"temperature": 0.5}, {"model": "gpt-4o-mini"}, {"max_tokens": 5}, {"messages": []}]
)
async def test_whatever_may_change_the_answer_makes_it_another_question(
    opened: Open, provider: ScriptedProvider, change: dict[str, Any]
) -> None:
    async with opened(provider, cache={}) as gateway:
        await gateway.hear(BODY)
        await kept(gateway)
        await gateway.hear(BODY | change)
        assert len(provider.calls) == 2


async def test_a_stream_is_kept_and_comes_again_as_a_stream(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(stream("Hel", "lo, ", "you!"))
    async with opened(provider, cache={}) as gateway:
        streamed = BODY | {"stream": True, "stream_options": {"include_usage": True}}
        await gateway.hear(streamed)
        await kept(gateway)
        again = await gateway.hear(streamed)
        assert len(provider.calls) == 1
        events = [line[6:] for line in again.body.decode().split("\n\n") if line.startswith("data: ")]
        assert events[-1] == "[DONE]"
        chunks = [msgspec.json.decode(event) for event in events[:-1]]
        said = "".join(choice["delta"].get("content") or "" for c in chunks for choice in c["choices"])
        assert said == "Hello, you!"
        assert chunks[-1]["usage"]["total_tokens"] > 0
        whole = await gateway.hear(BODY)
        assert whole.json["choices"][0]["message"]["content"] == "Hello, you!"
        assert len(provider.calls) == 1


@pytest.mark.parametrize(
    ("share", "stranger", "calls"),
    [
        ("team", STRANGER, 2),
        ("team", FOREIGN, 2),
        ("tenant", STRANGER, 1),
        ("tenant", FOREIGN, 2),
        ("principal", BOB, 2),
        ("team", someone("user:bob", tier="gold"), 2),
        ("team", someone("user:bob", scope=("model:fast",)), 2),
        ("principal", someone("user:alice", "agent:planner"), 2),
    ],
)
async def test_an_answer_stays_among_those_who_may_share_it(
    opened: Open, provider: ScriptedProvider, share: str, stranger: Any, calls: int
) -> None:
    async with opened(provider, cache={"share": share}) as gateway:
        await gateway.hear(BODY, caller=ALICE)
        await kept(gateway)
        assert (await gateway.hear(BODY, caller=stranger)).status == 200
        assert len(provider.calls) == calls


async def test_a_change_of_policy_ends_what_was_kept(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, cache={}) as gateway:
        await gateway.hear(BODY)
        await kept(gateway)
        parts = gateway.service.parts
        before = parts.policy.current.epoch
        await gateway.edge.publish(parts, "policy", {"rules": [rule(id="new")]})
        await eventually(lambda: parts.policy.current.epoch > before)
        await gateway.hear(BODY)
        assert len(provider.calls) == 2


async def test_who_may_not_use_the_model_gets_nothing_from_the_cache(
    opened: Open, provider: ScriptedProvider
) -> None:
    allowed = {"rules": [rule(sub="user:alice")]}
    async with opened(provider, cache={"share": "tenant"}, policy=allowed) as gateway:
        await gateway.hear(BODY, caller=ALICE)
        await kept(gateway)
        assert (await gateway.hear(BODY, caller=BOB)).status == 404


@pytest.mark.parametrize(
    ("wish", "calls"),
    [
        ({"cache-control": "no-cache"}, 2),
        ({"cache-control": "max-age=0"}, 2),
        ({"cache-control": "max-age=600"}, 1),
        ({"cache-control": "no-store"}, 1),
    ],
)
async def test_a_caller_may_ask_for_a_fresh_answer(
    opened: Open, provider: ScriptedProvider, wish: dict[str, str], calls: int
) -> None:
    async with opened(provider, cache={}) as gateway:
        await gateway.hear(BODY)
        await kept(gateway)
        await gateway.hear(BODY, headers=gateway.identity() | wish)
        assert len(provider.calls) == calls


async def test_what_is_not_to_be_kept_is_not(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, cache={}) as gateway:
        await gateway.hear(BODY, headers=gateway.identity() | {"cache-control": "no-store"})
        await gateway.hear(BODY | {"seed": 1})
        await kept(gateway)
        assert len(await gateway.service.parts.redis.execute("KEYS", "gs:*answer:*")) == 1


async def test_a_time_that_is_none_is_refused_by_name(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, cache={}) as gateway:
        wrong = gateway.identity() | {"x-gatestack-cache-ttl": "soon"}
        answer = await gateway.hear(BODY, headers=wrong)
        assert answer.status == 400
        assert "x-gatestack-cache-ttl" in answer.error["message"]


async def test_the_time_to_live_is_the_shorter_of_both(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, cache={"ttl_seconds": 100}) as gateway:
        for ttl, most in (("10", 10_000), ("5000", 100_000)):
            body = BODY | {"seed": int(ttl)}
            await gateway.hear(body, headers=gateway.identity() | {"x-gatestack-cache-ttl": ttl})
            await kept(gateway, 1 if ttl == "10" else 2)
            names = await gateway.service.parts.redis.execute("KEYS", "gs:*answer:*")
            left = [await gateway.service.parts.redis.execute("PTTL", name) for name in names]
            assert max(left) <= most


@pytest.mark.parametrize("failure", [error(400), error(500)])
async def test_a_failure_is_not_kept(opened: Open, provider: ScriptedProvider, failure: Any) -> None:
    provider.will(failure, completion("hello"))
    async with opened(provider, cache={}) as gateway:
        assert (await gateway.hear(BODY)).status != 200
        assert (await gateway.hear(BODY)).status == 200


async def test_other_models_are_left_alone(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, cache={"models": ["slow*"]}) as gateway:
        answer = await gateway.hear(BODY)
        assert "cache=none" in answer.headers["x-gatestack-answer"]
        row: Row = await gateway.service.row()
        assert row.cache == ""
