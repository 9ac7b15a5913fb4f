"""Limits and budgets hold under a storm of calls, through real sockets, with one process and with three."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from msgspec import Struct

from llm_gateway.formats.openai_chat import OpenAIChat
from shared.config.load import SERVICES
from tests.stack.conftest import World, open_world
from tests.support.answer import Answer
from tests.support.providers import completion
from tests.support.stack import START_SECONDS, free_ports
from tests.support.wait import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(180),
]

CALLS, ROOM = 200, 50
CHAT: dict[str, Any] = {"model": "fast", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 8}
# What a call is expected to use is what it then does use: 50 of them fit, to the token and to the cent.
IN, OUT = OpenAIChat().read(msgspec.json.encode(CHAT), {}).tokens_in, 8
USAGE = {"prompt_tokens": IN, "completion_tokens": OUT, "total_tokens": IN + OUT}
EACH = {"requests": 1, "tokens": IN + OUT, "micros": IN * 1 + OUT * 2}
MODEL = {
    "targets": [{"provider": "scripted", "model": "m1"}],
    "price": {"in": 1_000_000, "out": 2_000_000},
    "default_output_tokens": OUT,
}
WAYS = ("one", "three", "direct")
# A month: the window must not end while the storm goes on.
RULES = [
    {
        "name": f"{way}-{unit}",
        "per": "team",
        "unit": unit,
        "amount": ROOM * each,
        "window": "month",
        "match": {"team": f"{way}-{unit}"},
    }
    for way in WAYS
    for unit, each in EACH.items()
]
EDGE_RULE = {
    "name": "edge",
    "per": "team",
    "unit": "requests",
    "amount": ROOM,
    "window": "month",
    "match": {"team": "edge"},
}


class Setup(Struct, frozen=True):
    """`models` are the addresses of the three model gateways."""

    world: World
    models: list[str]

    def urls(self, way: str) -> list[str]:
        if way == "direct":
            return self.models
        return [self.world.url + ("/one" if way == "one" else "")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def setup(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Setup]:
    """A stack with three model gateways in turn behind the edge, and one of them alone at /one."""
    *own, second, third = free_ports(len(SERVICES) + 2)
    ports = dict(zip(SERVICES, own, strict=True))
    models = [_url(ports["llm_gateway"]), _url(second), _url(third)]
    alone = {
        "name": "one",
        "prefix": "/one",
        "urls": models[:1],
        "strip_prefix": True,
        "audience": "llm_gateway",
    }
    gateways = {name: [_url(port)] for name, port in ports.items() if name != "api_gateway"}
    edge = {"gateways": gateways | {"llm_gateway": models}, "routes": [alone], "limits": [EDGE_RULE]}
    # What is set aside is then exactly what the provider below says it used.
    llm: dict[str, Any] = {"accept": ["identity", "key"], "limits": RULES, "models": {"fast": MODEL}}
    llm["count_tokens"] = "never"
    directory = tmp_path_factory.mktemp("limits")
    # A fast machine says the same very often in two seconds.
    chain = {"max_children": 1_000_000, "max_repeats": 1_000_000}
    async with open_world(directory, ports=ports, api_gateway=edge, llm_gateway=llm, chain=chain) as opened:
        opened.provider.will(completion("hello", usage=USAGE))
        async with another(opened, second), another(opened, third):
            yield Setup(opened, models)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


@contextlib.asynccontextmanager
async def another(world: World, port: int) -> AsyncIterator[None]:
    """One more model gateway on the same configuration, as an operator would start it."""
    with (world.stack.directory / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "llm_gateway", "--config", str(world.stack.config)),
            *("--bind", f"127.0.0.1:{port}"),
            stdout=log,
            stderr=log,
        )
    try:
        await eventually(partial(_ready, world, port), "another gateway ready", seconds=START_SECONDS)
        yield
    finally:
        process.terminate()
        await process.wait()


async def _ready(world: World, port: int) -> bool:
    with contextlib.suppress(Exception):
        return (await world.stack.send("GET", f"{_url(port)}/readyz")).status == 200
    return False


async def storm(setup: Setup, key: str, urls: list[str]) -> list[Answer]:
    """All calls at once, over the addresses in turn."""
    paths = [f"{urls[place % len(urls)]}/v1/chat/completions" for place in range(CALLS)]
    return await asyncio.gather(*(setup.world.stack.send("POST", path, key=key, body=CHAT) for path in paths))


def check_refusals(answers: list[Answer]) -> None:
    """Exactly as many as there was room for; all others refused as OpenAI refuses."""
    refused = [answer for answer in answers if answer.status != 200]
    assert len(answers) - len(refused) == ROOM
    assert {answer.status for answer in refused} == {429}
    assert {answer.json["error"]["type"] for answer in refused} == {"rate_limit_error"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)


@pytest.mark.parametrize("unit", EACH)
@pytest.mark.parametrize("way", WAYS)
async def test_a_storm_spends_a_limit_to_the_last_unit_and_not_one_more(
    setup: Setup, way: str, unit: str
) -> None:
    world, team = setup.world, f"{way}-{unit}"
    key = await world.key(team=team)
    for url in setup.urls(way):
        await eventually(partial(_knows, world, f"{url}/v1/models", key), "the key is known")
    before = len(world.provider.calls)
    check_refusals(await storm(setup, key, setup.urls(way)))
    assert len(world.provider.calls) - before == ROOM
    assert await eventually(partial(_spent, world, team)) == (
        ROOM * IN,
        ROOM * OUT,
        ROOM * EACH["micros"],
    )


async def _knows(world: World, url: str, key: str) -> bool:
    return (await world.stack.send("GET", url, key=key)).status == 200


async def _spent(world: World, team: str) -> tuple[int, int, int] | None:
    """What the ledger says that a team has used, once all that there was room for is in it."""
    found = await world.stack.admin("GET", f"/spend?by=service&team={team}&since=1h&until=2099-01-01")
    [line] = [one for one in found.json["lines"] if one["group"]["service"] == "llm_gateway"] or [None]
    if line is None or line["calls"] < ROOM:
        return None
    return line["tokens_in"], line["tokens_out"], line["cost_micros"]


async def test_the_edge_alone_lets_as_many_requests_in_as_its_own_limit_says(setup: Setup) -> None:
    world = setup.world
    key = await world.key(team="edge")
    before = len(world.provider.calls)
    check_refusals(await storm(setup, key, [world.url]))
    assert len(world.provider.calls) - before == ROOM


MODEL_STEP = {"model": "fast"}
SIBLING = {"agent": "researcher", "text": [MODEL_STEP]}


@pytest.mark.parametrize(
    ("budget", "step", "done", "told"),
    [
        ({"model_calls": 6}, MODEL_STEP, 6, "model calls"),
        ({"micros": 5 * EACH["micros"] + 1}, MODEL_STEP, 5, "micro-dollars"),
        ({"tokens": 4 * EACH["tokens"] + 1}, MODEL_STEP, 4, "tokens"),
        # The planner itself is one of the chain's agent calls.
        ({"agent_calls": 4}, SIBLING, 3, "agent calls"),
        ({"model_calls": 3}, SIBLING, 3, "model calls"),
    ],
)
async def test_a_chain_whose_agents_loop_stops_at_its_budget(
    setup: Setup, budget: dict[str, int], step: dict[str, Any], done: int, told: str
) -> None:
    world = setup.world
    before = len(world.provider.calls)
    [answer], chain = await world.steps(await world.key(budget=budget), "planner", {"loop": step})
    looped = json.loads(answer["ok"])
    assert looped["done"] == done
    assert len(world.provider.calls) - before == done
    rows = await world.stack.entries(chain)
    refused = [row for row in rows if row["outcome"] == "refused"]
    assert {row["reason"] for row in refused} == {"budget"}
    assert any(told in row["detail"] for row in refused)


async def test_a_chain_whose_agents_loop_stops_when_its_time_is_over(setup: Setup) -> None:
    key = await setup.world.key(budget={"seconds": 4})
    [answer], chain = await setup.world.steps(key, "planner", {"loop": SIBLING})
    assert json.loads(answer["ok"])["refused"]
    rows = await setup.world.stack.entries(chain)
    assert any("may run for 4 s" in row["detail"] for row in rows if row["outcome"] == "refused")
