"""Two hundred chains at once, each of four agents in three processes with models and tools at each level, and
with failures everywhere: every tree is whole and true, every cost adds up, no chain sees another's.
"""

import asyncio
import contextlib
import re
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from msgspec import Struct

from shared.clock import Clock
from shared.config.load import SERVICES
from shared.ledger.row import Row, opened
from shared.limits.limiter import Limiter
from shared.redis_client import Redis
from shared.store import open_store
from tests.stack.crew import Crew, Line, Node
from tests.stack.storm import (
    BAD,
    CHAINS,
    TENANTS,
    Ledger,
    Rooted,
    every,
    mark_of,
    outcomes,
    planned,
    price,
    used,
)
from tests.support import mcp_child
from tests.support.providers import Call, ScriptedProvider, completion, error, stream
from tests.support.stack import Stack, free_ports, running_stack
from tests.support.wait import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(180),
]

PROCESSES = (("a", "d"), ("b",), ("c",))
PRICE = {"in": 1_000_000, "out": 2_000_000}
TOOL_SERVER = {"type": "stdio", "command": sys.executable, "args": [mcp_child.__file__, "stateless"]}
SCARCE = {"model_calls": 2}
SECONDS = 60.0


class Provider:
    """Answers each call by the model that it asks for; `asked` is told for which marks it has."""

    def __init__(self) -> None:
        self.asked: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.held: dict[str, asyncio.Event] = {}

    async def __call__(self, call: Call) -> None:
        mark = call.json["messages"][0]["content"]
        self.asked[mark].set()
        if mark in self.held:
            await self.held[mark].wait()
        if call.json["model"].startswith("cut"):
            call.cut()
        elif call.json["model"].startswith("failing"):
            await error(500)(call)
        elif call.json.get("stream"):
            await stream(mark, usage=used(mark))(call)
        else:
            await completion(mark, usage=used(mark))(call)


class World(Struct, frozen=True):
    stack: Stack
    provider: Provider
    lines: Path


@contextlib.asynccontextmanager
async def crew(edge: str, lines: Path, names: tuple[str, ...]) -> AsyncIterator[dict[str, str]]:
    """A process of agents, and their addresses."""
    with lines.with_name("crew.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.stack.crew", edge, str(lines), *names),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout is not None
        found = {}
        for _ in names:
            async with asyncio.timeout(60):
                name, url = (await process.stdout.readline()).decode().split()
            found[name] = url
        yield found
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    directory = tmp_path_factory.mktemp("storm")
    ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    edge, lines = f"http://127.0.0.1:{ports['api_gateway']}", directory / "lines"
    behaviour = Provider()
    async with contextlib.AsyncExitStack() as entered:
        provider = await entered.enter_async_context(ScriptedProvider())
        provider.will(behaviour)
        agents: dict[str, str] = {}
        for names in PROCESSES:
            agents |= await entered.enter_async_context(crew(edge, lines, names))
        config = _sections(provider.base_url, agents)
        stack = await entered.enter_async_context(running_stack(directory, ports=ports, **config))
        yield World(stack, behaviour, lines)


def _sections(provider: str, agents: dict[str, str]) -> dict[str, Any]:
    allowed = ("route:*", "model:fast", *(f"model:{name}" for name in BAD), "agent:*")
    rules = [{"sub": "*", "dom": "*", "obj": obj, "act": "*"} for obj in allowed]
    rules += [
        {"sub": "*", "dom": "*", "obj": f"tool:tools/{name}", "act": "*"} for name in ("echo", "failing")
    ]
    models = ("fast", "secret", *BAD)
    return {
        "policy": {"rules": rules},
        "llm_gateway": {
            "providers": {"scripted": {"base_url": provider}},
            "models": {
                name: {"targets": [{"provider": "scripted", "model": name}], "price": PRICE}
                for name in models
            },
        },
        "mcp_gateway": {"servers": {"tools": {"transport": TOOL_SERVER}}},
        "agent_gateway": {"agents": {name: {"url": url} for name, url in agents.items()}},
    }


async def test_every_tree_is_whole_every_cost_adds_up_and_no_chain_sees_anothers(world: World) -> None:
    plans = [planned(number) for number in range(CHAINS)]
    await _storm(world, plans)
    lines = await eventually(partial(_lines, world, plans), "every call is answered", seconds=SECONDS)
    calls = sum(1 for plan in plans for _ in every(plan.root))
    rows = await eventually(partial(_rows, world, 2 * calls), "every row is in SQL", seconds=SECONDS)
    assert lines is not None
    assert rows is not None
    assert len(rows) == 2 * calls
    ledger, spent = Ledger(rows, lines), Counter[str]()
    async with _chains(world) as limiter:
        for plan in plans:
            spent[f"{plan.tenant} {plan.user}"] += await _cost(plan, ledger.tree(plan), limiter)
    assert await _spent(world.stack) == spent
    for mark, line in lines.items():
        assert set(re.findall(r"\bchain\d+\b", line.text)) <= {mark.partition("/")[0]}, line


async def _cost(plan: Rooted, tree: list[tuple[Node, Row]], limiter: Limiter) -> int:
    """What a chain has cost, once every call has ended as planned and Redis says the same."""
    for node, row in tree:
        assert row.outcome in outcomes(plan, node), (node, row)
        if node.name == "fast" and row.outcome == "completed":
            assert row.cost_micros == price(node.mark)
        elif not node.name.startswith("cut"):
            assert row.cost_micros == 0
    cost = sum(row.cost_micros for _, row in tree)
    state = await limiter.state(plan.tenant, tree[0][1].chain)
    assert (state.micros, state.agent_calls) == (cost, _begun(tree, "agent"))
    assert state.model_calls == _begun(tree, "model")
    assert not plan.scarce or state.model_calls <= SCARCE["model_calls"]
    return cost


async def _storm(world: World, plans: list[Rooted]) -> None:
    """All chains at once. The models that those who left were waiting for think until that is on record:
    an answer that comes sooner may find them still there.
    """
    owners = sorted({(plan.tenant, plan.user, plan.scarce) for plan in plans})
    keys = {
        owner: await world.stack.key(owner[1], owner[0], **({"budget": SCARCE} if owner[2] else {}))
        for owner in owners
    }
    client = Crew(world.stack.url, world.lines)
    try:
        await asyncio.gather(
            *(_chain(world, client, plan, keys[plan.tenant, plan.user, plan.scarce]) for plan in plans)
        )
        left = {plan.root.mark for plan in plans if plan.leaves}
        await eventually(partial(_gone, world, left), "every leaving is on record", seconds=SECONDS)
    finally:
        for over in world.provider.held.values():
            over.set()
        await client.close()


async def _chain(world: World, client: Crew, plan: Rooted, key: str) -> None:
    if not plan.leaves:
        await client.call(plan.root, key)
        return
    thinking = f"{plan.root.mark}/m"
    world.provider.held[thinking] = asyncio.Event()
    waiting = asyncio.create_task(client.call(plan.root, key))
    await world.provider.asked[thinking].wait()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


def _lines(world: World, plans: list[Rooted]) -> dict[str, Line] | None:
    """What every call was answered, by its mark; but for the calls of those who left."""
    found = [msgspec.json.decode(line, type=Line) for line in world.lines.read_bytes().split(b"\n")[:-1]]
    by_mark = {line.mark: line for line in found}
    assert len(by_mark) == len(found)
    missing = {node.mark for plan in plans for node in every(plan.root)} - set(by_mark)
    return None if missing - {plan.root.mark for plan in plans if plan.leaves} else by_mark


async def _gone(world: World, left: set[str]) -> bool:
    """Whether the ledger says of each of these calls that its client has gone."""
    rows = await _recorded(world)
    return left <= {mark_of(row) for row in rows if row.outcome == "client_gone"}


async def _rows(world: World, count: int) -> list[Row] | None:
    """What the chains left in the ledger, once it is all there."""
    rows = await _recorded(world)
    return rows if len(rows) >= count else None


async def _recorded(world: World) -> list[Row]:
    """What the chains have left in the ledger so far; making their keys is not of it."""
    store = open_store(f"sqlite://{world.stack.directory}/state/gatestack.db")
    try:
        sealed = [row for writer in await store.writers() async for row in store.rows(writer)]
    finally:
        await store.close()
    return [row for each in sealed if (row := opened(each.body)).tenant in TENANTS and not row.checkpoint]


@contextlib.asynccontextmanager
async def _chains(world: World) -> AsyncIterator[Limiter]:
    """What Redis knows of chains."""
    redis = await Redis.connect(f"unix://{world.stack.directory}/state/valkey.sock")
    try:
        yield Limiter(redis, Clock())
    finally:
        await redis.close()


def _begun(tree: list[tuple[Node, Row]], kind: str) -> int:
    """How many calls of this kind were let through."""
    return sum(1 for node, row in tree if node.kind == kind and row.outcome != "refused")


async def _spent(stack: Stack) -> Counter[str]:
    found = Counter[str]()
    for tenant in TENANTS:
        answer = await stack.admin("GET", f"/spend?by=principal&tenant={tenant}&since=1h&until=2099-01-01")
        for line in answer.json["lines"]:
            found[f"{tenant} {line['group']['principal']}"] += line["cost_micros"]
    return found
