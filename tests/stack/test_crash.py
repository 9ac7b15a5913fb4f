"""`kill -9` of anything under load: what a client has read to its end is on record, once, and all goes on."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from msgspec import Struct

from shared.config.load import SERVICES
from shared.errors import UpstreamFault
from shared.ledger.row import Row, opened
from shared.limits.keys import tenant_keys
from shared.redis_client import Redis
from shared.store import Store, open_store
from tests.mcp_gateway.gateway import stateless
from tests.stack.conftest import TENANT, World, open_world
from tests.support.answer import Answer
from tests.support.providers import Call, chunk, completion, held, stream
from tests.support.stack import START_SECONDS
from tests.support.wait import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(180),
]

Json = dict[str, Any]
CLIENTS, ENOUGH, SECONDS = 8, 5, 40.0
CHAT: Json = {"model": "fast", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 8}
TOOL, TOOL_HEADERS = stateless("tools/call", {"name": "tools__echo", "arguments": {"text": "hi"}})
MESSAGE = {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": "[]"}]}
ASK = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": MESSAGE}}
# What each client does in turn: path, body, headers, and what a good answer has in it.
KINDS: dict[str, tuple[str, Json, dict[str, str], bytes]] = {
    "chat": ("/v1/chat/completions", CHAT, {}, b'"hello"'),
    "stream": ("/v1/chat/completions", CHAT | {"stream": True}, {}, b"data: [DONE]"),
    "tool": (
        "/mcp",
        TOOL,
        {**TOOL_HEADERS, "accept": "application/json, text/event-stream"},
        b"tools: hi",
    ),
    "agent": ("/agents/planner", ASK, {"a2a-version": "1.0"}, b'"result"'),
}
INNER = {"chat": "llm_gateway", "stream": "llm_gateway", "tool": "mcp_gateway", "agent": "agent_gateway"}
SCARCE = {
    "name": "two",
    "per": "team",
    "unit": "concurrency",
    "amount": 2,
    "match": {"team": "scarce"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    directory = tmp_path_factory.mktemp("crash")
    async with open_world(directory, llm_gateway={"limits": [SCARCE]}) as opened:
        yield opened


async def either(call: Call) -> None:
    await (stream("a", "b", "c") if call.json.get("stream") else completion("hello"))(call)


class Got(Struct, frozen=True):
    """An answer that a client has read to its end."""

    kind: str
    call: str
    chain: str
    status: int
    good: bool


class Load:
    """Clients that call without a pause, whatever happens to them."""

    def __init__(self, world: World, key: str) -> None:
        self.got: list[Got] = []
        self.over = False
        self._world = world
        self._key = key

    async def run(self, first: int) -> None:
        kinds = list(KINDS)
        turn = first
        while not self.over:
            turn += 1
            if not await self._call(kinds[turn % len(kinds)]):
                # As a client would: a service that is not there is not asked a thousand times a second.
                await asyncio.sleep(0.05)

    async def _call(self, kind: str) -> bool:
        path, body, headers, sign = KINDS[kind]
        try:
            answer = await self._world.stack.send("POST", path, key=self._key, body=body, headers=headers)
        except UpstreamFault:
            return False
        found = answer.headers
        good = answer.status == 200 and sign in answer.body
        self.got.append(
            Got(kind, found["x-gatestack-call"], found.get("x-gatestack-chain", ""), answer.status, good)
        )
        return good

    async def flows(self) -> None:
        """Returns when there are enough more good answers of every kind."""
        seen = len(self.got)

        def enough() -> bool:
            good = Counter(got.kind for got in self.got[seen:] if got.good)
            return all(good[kind] >= ENOUGH for kind in KINDS)

        await eventually(enough, "every kind of call is answered", seconds=SECONDS)


@contextlib.asynccontextmanager
async def loading(world: World) -> AsyncIterator[Load]:
    world.provider.will(either)
    load = Load(world, await world.key(team="load"))
    tasks = [asyncio.create_task(load.run(number)) for number in range(CLIENTS)]
    try:
        yield load
    finally:
        load.over = True
        await asyncio.gather(*tasks)


@contextlib.asynccontextmanager
async def ledger(world: World) -> AsyncIterator[Store]:
    store = open_store(f"sqlite://{world.stack.directory}/state/gatestack.db")
    try:
        yield store
    finally:
        await store.close()


async def kept(store: Store, load: Load) -> list[Row] | None:
    """Every row there is, once there is one of each answer, and one below each answer that the edge has
    passed on: writers deliver independently of each other.
    """
    rows = [opened(row.body) for writer in await store.writers() async for row in store.rows(writer)]
    by_id, parents = {row.id: row for row in rows}, {row.parent for row in rows}
    if not all(got.call in by_id for got in load.got):
        return None
    passed_on = {got.call for got in load.got if by_id[got.call].outcome == "completed"}
    return rows if passed_on <= parents else None


# The last: rows that only the journal of a dead writer has.
VICTIMS = (*SERVICES, "valkey", "up", "valkey and llm_gateway")


@pytest.mark.parametrize("victim", VICTIMS)
async def test_what_was_answered_is_on_record_once_whatever_is_killed(world: World, victim: str) -> None:
    async with loading(world) as load:
        await load.flows()
        await _kill(world, victim)
        await load.flows()
    async with ledger(world) as store:
        rows = await eventually(partial(kept, store, load), "every answer is on record", seconds=SECONDS)
    _compare(load, rows or [])
    report = await _audit(world)
    assert report["findings"] == []
    assert report["rows"] >= len(rows or [])


async def _kill(world: World, victim: str) -> None:
    if victim == "valkey":
        await world.stack.kill_valkey()
    elif victim == "valkey and llm_gateway":
        await asyncio.gather(world.stack.kill_valkey(), world.stack.kill("llm_gateway"))
    elif victim == "up":
        await world.stack.kill_up()
    else:
        await world.stack.kill(victim)


def _compare(load: Load, rows: list[Row]) -> None:
    """What the clients saw with what the ledger says."""
    assert len({got.call for got in load.got}) == len(load.got)
    by_id = {row.id: row for row in rows}
    below: dict[str, list[Row]] = {}
    for row in rows:
        below.setdefault(row.parent, []).append(row)
    for got in load.got:
        edge = by_id[got.call]
        assert (edge.service, edge.chain, edge.status) == ("api_gateway", got.chain, got.status)
        inner = [(row.service, row.outcome, row.status) for row in below.get(got.call, [])]
        if got.good:
            assert edge.outcome == "completed"
            assert inner == [(INNER[got.kind], "completed", 200)]
        else:
            assert len(inner) <= 1
    ours = [row for row in rows if row.team == "load"]
    places = Counter((row.chain, row.service) for row in ours)
    assert set(places.values()) == {1}


async def _audit(world: World) -> Json:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api_gateway.cli", "audit", "verify", "--json"),
        *("--config", str(world.stack.config)),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    report = msgspec.json.decode(told, type=Json)
    assert process.returncode == (1 if report["findings"] else 0)
    return report


async def test_what_a_killed_process_held_comes_back(world: World) -> None:
    key, gate = await world.key(team="scarce"), asyncio.Event()
    first = chunk({"role": "assistant", "content": "one"})
    world.provider.will(held([first], gate, []))
    before = len(world.provider.calls)
    calls = [asyncio.create_task(_streamed(world, key)) for _ in range(2)]
    await eventually(lambda: len(world.provider.calls) == before + 2, "both calls are under way")
    world.provider.will(completion("hello"))
    assert (await _chat(world, key)).status == 429
    await world.stack.kill("llm_gateway")
    gate.set()
    # The edge tells its callers, in their dialect, that the gateway behind it has gone.
    assert [b'"error"' in (await call).body for call in calls] == [True, True]
    assert (await _chat(world, key)).status == 429
    assert await _let_leases_run_out(world) >= 2
    assert [answer.status for answer in [await _chat(world, key), await _chat(world, key)]] == [200, 200]


async def test_who_starts_it_again_at_once_waits_for_what_is_still_stopping(world: World) -> None:
    stack, slow = world.stack, world.stack.pid_of("llm_gateway")
    os.kill(slow, signal.SIGSTOP)
    try:
        os.kill(stack.process.pid, signal.SIGKILL)
        await stack.process.wait()
        again = asyncio.create_task(stack.start())
        waiting = "gatestack: waiting for the services of a `gatestack up` that was killed"
        await eventually(
            lambda: any(line.startswith(waiting) for line in stack.lines), "it waits", seconds=START_SECONDS
        )
    finally:
        os.kill(slow, signal.SIGCONT)
    await again
    world.provider.will(completion("hello"))
    assert (await _chat(world, await world.key())).status == 200


async def _chat(world: World, key: str) -> Answer:
    return await world.stack.send("POST", "/v1/chat/completions", key=key, body=CHAT)


async def _streamed(world: World, key: str) -> Answer:
    return await world.stack.send("POST", "/v1/chat/completions", key=key, body=CHAT | {"stream": True})


async def _let_leases_run_out(world: World) -> int:
    """The time that a lease may last passes for all that are held now; how many."""
    redis = await Redis.connect(f"unix://{world.stack.directory}/state/valkey.sock")
    try:
        due = tenant_keys(TENANT).due
        leases = await redis.execute("ZRANGE", due, 0, -1)
        for lease in leases:
            await redis.execute("ZADD", due, 1, lease)
        return len(leases)
    finally:
        await redis.close()
