"""A thousand calls at once against twelve budgets that overlap, over three model gateways: nobody overspends,
and nobody is refused while there is money left.
"""

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from msgspec import Struct

from llm_gateway.ask import Ask
from llm_gateway.limit import estimate
from llm_gateway.prices import Price
from llm_gateway.tokens import TokenCounter
from shared.config.load import SERVICES
from tests.llm_gateway.samples import model
from tests.stack.conftest import TENANT, World, open_world
from tests.stack.test_limits import _knows, _url, another
from tests.support.answer import Answer
from tests.support.providers import Call as ProviderCall
from tests.support.providers import completion_body
from tests.support.stack import DRAIN_SECONDS, free_ports
from tests.support.wait import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(180),
]

CALLS, OUT = 1_000, 8
PRICES = {"cheap": {"in": 1_000_000, "out": 2_000_000}, "dear": {"in": 5_000_000, "out": 9_000_000}}
MESSAGES = [{"role": "user", "content": "hi"}]
TEAMS, USERS, PROJECTS = ("red", "blue"), ("alice", "bob", "carol"), ("apollo", "gemini")
TAGS = ("exp-a", "exp-b", "nightly")
# Together they let about two of three calls through, and it depends on their order which ones refuse.
BUDGETS: list[dict[str, Any]] = [
    {"name": "tenant", "per": "tenant", "unit": "micros", "amount": 42_500, "window": "month"},
    {"name": "tenant-tokens", "per": "tenant", "unit": "tokens", "amount": 11_100, "window": "total"},
    {"name": "team", "per": "team", "unit": "micros", "amount": 22_800, "window": "month"},
    {
        "name": "blue",
        "per": "team",
        "unit": "micros",
        "amount": 20_003,
        "window": "total",
        "match": {"team": "blue"},
    },
    {"name": "user", "per": "user", "unit": "micros", "amount": 13_907, "window": "month"},
    {"name": "key", "per": "key", "unit": "micros", "amount": 3_950, "window": "total"},
    {"name": "project", "per": "project", "unit": "tokens_out", "amount": 2_720, "window": "month"},
    {"name": "model", "per": "model", "unit": "micros", "amount": 32_500, "window": "month"},
    {
        "name": "dear",
        "per": "tenant",
        "unit": "requests",
        "amount": 285,
        "window": "month",
        "match": {"model": "dear"},
    },
    {"name": "tag", "per": "tag", "unit": "micros", "amount": 13_900, "window": "month"},
    {
        "name": "trials",
        "per": "tag",
        "unit": "micros",
        "amount": 11_011,
        "window": "total",
        "match": {"tag": "exp-*"},
    },
    {"name": "provider", "per": "provider", "unit": "tokens", "amount": 11_008, "window": "month"},
]
assert len(BUDGETS) == 12


class Attempt(Struct, frozen=True):
    """One call as the test knows it, and what became of it."""

    facts: dict[str, tuple[str, ...]]
    needs: dict[str, int]
    answer: Answer

    @property
    def passed(self) -> bool:
        return self.answer.status == 200

    def counters(self) -> Iterator[tuple[str, str]]:
        """Each budget and subject that it counts for."""
        for budget in BUDGETS:
            wanted = budget.get("match", {})
            for subject in self.facts.get(budget["per"], ()):
                found = {**self.facts, budget["per"]: (subject,)}
                if all(
                    any(_fits(text, value) for value in found.get(fact, ())) for fact, text in wanted.items()
                ):
                    yield budget["name"], subject


def _fits(pattern: str, value: str) -> bool:
    return re.fullmatch(pattern.replace("*", ".*"), value) is not None


class Setup(Struct, frozen=True):
    """`models` are the addresses of the three model gateways, `keys` are known to each of them."""

    world: World
    models: list[str]
    keys: dict[tuple[str, str, str], str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def setup(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Setup]:
    *own, second, third = free_ports(len(SERVICES) + 2)
    ports = dict(zip(SERVICES, own, strict=True))
    urls = [_url(ports["llm_gateway"]), _url(second), _url(third)]
    targets = [{"provider": "scripted", "model": "m1"}]
    models = {name: {"targets": targets, "price": price} for name, price in PRICES.items()}
    llm = {"accept": ["identity", "key"], "limits": BUDGETS, "models": models}
    rules = [{"id": "models", "sub": "*", "dom": TENANT, "obj": "model:*", "act": "*"}]
    directory = tmp_path_factory.mktemp("budgets")
    async with open_world(directory, ports=ports, llm_gateway=llm, policy={"rules": rules}) as opened:
        opened.provider.will(await _exactly())
        async with another(opened, second), another(opened, third):
            keys = {
                (user, team, project): await opened.key(f"user:{user}", team=team, project=project)
                for user in USERS
                for team in TEAMS
                for project in PROJECTS
            }
            for url in urls:
                for key in keys.values():
                    await eventually(partial(_knows, opened, f"{url}/v1/models", key), "the key is known")
            yield Setup(opened, urls, keys)


def body_for(name: str) -> bytes:
    return msgspec.json.encode({"model": name, "messages": MESSAGES, "max_tokens": OUT})


async def _tokens_in() -> int:
    body = body_for("cheap")
    asked = Ask(model="cheap", stream=False, body=body, spans={}, tokens_in=1)
    return (await TokenCounter().count("m1", asked)).tokens_in


async def _exactly() -> Callable[[ProviderCall], Any]:
    """A provider whose calls use what was expected, at different speeds: what is refused is then out of
    money.
    """
    count = await _tokens_in()
    used = {"prompt_tokens": count, "completion_tokens": OUT, "total_tokens": count + OUT}
    body = completion_body("hello", used)

    async def behave(call: ProviderCall) -> None:
        await asyncio.sleep(len(call.header_list) % 3 / 1000)
        await call.reply(200, body)

    return behave


async def _needs(name: str) -> dict[str, int]:
    price = msgspec.convert(PRICES[name], Price)
    asked = Ask(model=name, stream=False, body=b"", spans={}, tokens_in=await _tokens_in(), tokens_out=OUT)
    expected = estimate(model(price), asked)
    tokens = expected.tokens_in + expected.tokens_out
    return {"micros": expected.micros, "tokens": tokens, "tokens_out": OUT, "requests": 1}


async def attempt(setup: Setup, number: int, needs: dict[str, dict[str, int]]) -> Attempt:
    """The `number`th of all calls: whose it is and where it goes follows from that, each mix as often as any
    other.
    """
    people = list(setup.keys)
    user, team, project = people[number % len(people)]
    name = "dear" if number % 5 < 2 else "cheap"
    tags = [(), TAGS[:1], TAGS[1:2], TAGS[2:], (TAGS[0], TAGS[2])][number // 7 % 5]
    key = setup.keys[user, team, project]
    headers = {"x-gatestack-tags": ",".join(tags)} if tags else {}
    url = f"{setup.models[number % 3]}/v1/chat/completions"
    answer = await setup.world.stack.send("POST", url, key=key, body=body_for(name), headers=headers)
    facts = {
        "tenant": (TENANT,),
        "team": (team,),
        "user": (f"user:{user}",),
        "project": (project,),
        "key": (key,),
        "model": (name,),
        "provider": ("scripted",),
        "tag": tags,
    }
    return Attempt(facts, needs[name], answer)


async def test_none_is_overspent_and_none_refuses_while_money_is_left(setup: Setup) -> None:
    needs = {name: await _needs(name) for name in PRICES}
    before = len(setup.world.provider.calls)
    attempts = await asyncio.gather(*(attempt(setup, number, needs) for number in range(CALLS)))
    assert Counter(each.answer.status for each in attempts).keys() == {200, 429}
    assert len(setup.world.provider.calls) - before == sum(each.passed for each in attempts)

    units = {budget["name"]: budget["unit"] for budget in BUDGETS}
    amounts = {budget["name"]: budget["amount"] for budget in BUDGETS}
    spent: dict[tuple[str, str], int] = defaultdict(int)
    for each in attempts:
        for name, subject in each.counters() if each.passed else ():
            spent[name, subject] += each.needs[units[name]]
    assert all(used <= amounts[name] for (name, _), used in spent.items())

    left_for: Counter[str] = Counter()
    for each in (each for each in attempts if not each.passed):
        full = {
            name
            for name, subject in each.counters()
            if amounts[name] - spent[name, subject] < each.needs[units[name]]
        }
        message = each.answer.json["error"]["message"]
        told = re.search(r"limit '([a-z-]+)'.*; (\d+) left, this call needs (\d+)", message)
        assert told is not None, message
        assert told[1] in full, f"refused by {told[1]} while there was room: {message}"
        assert int(told[2]) < int(told[3])
        left_for[told[1]] += 1
    # The mix is such that it is not always the same one that refuses.
    assert len(left_for) >= 3, left_for
    await _ledger_agrees(setup, attempts)


async def _ledger_agrees(setup: Setup, attempts: list[Attempt]) -> None:
    """What was refused is worth nothing, and what passed is booked to the last micro-dollar."""
    passed = [each for each in attempts if each.passed]
    expected = (
        len(passed),
        sum(each.needs["tokens"] for each in passed),
        sum(each.needs["micros"] for each in passed),
    )

    async def booked() -> tuple[int, int, int] | None:
        found = await setup.world.stack.admin("GET", "/spend?by=service&since=1h&until=2099-01-01")
        [line] = [one for one in found.json["lines"] if one["group"]["service"] == "llm_gateway"] or [None]
        if line is None or line["calls"] < len(passed):
            return None
        return line["calls"], line["tokens_in"] + line["tokens_out"], line["cost_micros"]

    assert await eventually(booked, "every call is in the ledger", seconds=DRAIN_SECONDS) == expected
