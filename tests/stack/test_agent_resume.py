"""An agent, a gateway or Valkey killed in the middle of fifty streams: every client takes its task up again,
through whichever replica is there, gets no event twice and misses none, and the ledger is whole.
"""

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from shared.config.load import SERVICES
from shared.errors import UpstreamFault
from shared.http_client import HttpClient
from shared.ledger.row import Row, opened
from shared.store import open_store
from tests.stack.lasting import ALLOWED, NUMBERS
from tests.stack.listeners import Json, Listener, official, raw
from tests.support.providers import ScriptedProvider, completion
from tests.support.stack import START_SECONDS, Stack, free_ports, running_stack
from tests.support.wait import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(180),
]

STREAMS, OFFICIAL = 50, 6
HALF, MORE = NUMBERS // 3, 2 * NUMBERS // 3
SECONDS = 60.0
COST = 20 + 2 * 8


class World:
    def __init__(self, stack: Stack, agent: str, second: str, folder: Path) -> None:
        self.stack = stack
        self.agent_address = agent
        self.second_address = second
        self.folder = folder
        self.http = HttpClient()
        self.processes: dict[str, asyncio.subprocess.Process] = {}

    def allow(self, numbers: int) -> None:
        """Tasks say this many of their numbers, and no more."""
        new = self.folder / "new"
        new.write_text(str(numbers))
        new.replace(self.folder / ALLOWED)

    async def start(self, what: str) -> None:
        """Starts the agent, or the second agent gateway, and waits until it answers."""
        commands = {
            "agent": ("tests.stack.lasting", self.stack.url, str(self.folder), self.agent_address),
            "replica": (
                *("agent_gateway", "--config", str(self.stack.config)),
                *("--bind", self.second_address),
            ),
        }
        with (self.stack.directory / "log").open("ab") as log:
            self.processes[what] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *commands[what]),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        address = self.agent_address if what == "agent" else self.second_address
        await eventually(partial(self._listens, address, what), f"{what} is up", seconds=START_SECONDS)

    async def _listens(self, address: str, what: str) -> bool:
        if what == "replica":
            with contextlib.suppress(UpstreamFault):
                return (await self.stack.send("GET", f"http://{address}/readyz")).status == 200
            return False
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(*address.split(":"))
            writer.close()
            return True
        return False

    async def kill(self, what: str) -> None:
        """`kill -9`, and starts it again."""
        if what == "valkey":
            await self.stack.kill_valkey()
            return
        process = self.processes[what]
        process.kill()
        await process.wait()
        await self.start(what)

    async def close(self) -> None:
        await self.http.close()
        for process in self.processes.values():
            process.kill()
            await process.wait()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    directory = tmp_path_factory.mktemp("resume")
    *own, second, agent = free_ports(len(SERVICES) + 2)
    ports = dict(zip(SERVICES, own, strict=True))
    replicas = [f"http://127.0.0.1:{ports['agent_gateway']}", f"http://127.0.0.1:{second}"]
    gateways = {name: [f"http://127.0.0.1:{port}"] for name, port in ports.items() if name != "api_gateway"}
    async with ScriptedProvider() as provider:
        provider.will(completion("hello"))
        model = {
            "targets": [{"provider": "scripted", "model": "m"}],
            "price": {"in": 1_000_000, "out": 2_000_000},
        }
        config: Json = {
            "policy": {"rules": [{"sub": "*", "dom": "acme", "obj": "*", "act": "*"}]},
            "api_gateway": {"gateways": gateways | {"agent_gateway": replicas}},
            "llm_gateway": {
                "providers": {"scripted": {"base_url": provider.base_url}},
                "models": {"fast": model},
            },
            "agent_gateway": {"agents": {"lasting": {"url": f"http://127.0.0.1:{agent}/"}}},
        }
        async with running_stack(directory, ports=ports, **config) as stack:
            folder = directory / "tasks"
            folder.mkdir()
            opened_world = World(stack, f"127.0.0.1:{agent}", f"127.0.0.1:{second}", folder)
            try:
                opened_world.allow(0)
                await asyncio.gather(*(opened_world.start(what) for what in ("agent", "replica")))
                yield opened_world
            finally:
                await opened_world.close()


@pytest.mark.parametrize(
    ("victim", "meanwhile"),
    [("agent", MORE), ("replica", MORE), ("valkey", MORE), ("valkey", NUMBERS + 1)],
    ids=["agent", "replica", "valkey", "valkey while all end"],
)
async def test_clients_take_up_their_tasks_again_whatever_is_killed(
    world: World, victim: str, meanwhile: int
) -> None:
    team = f"{victim}-{meanwhile}"
    key, calls = await world.stack.key(team=team), list[str]()
    world.allow(0)
    sources = [raw(world.http, world.stack.url, key, calls) for _ in range(STREAMS - OFFICIAL)]
    sources += [official(world.stack.url, key) for _ in range(OFFICIAL)]
    listeners = [Listener(source) for source in sources]
    clients = [asyncio.create_task(listener.run()) for listener in listeners]
    world.allow(HALF)
    await eventually(lambda: all(len(each.said) == HALF for each in listeners), "all are in the middle")
    killed = asyncio.create_task(world.kill(victim))
    # What is said while it is away must not be lost either.
    world.allow(meanwhile)
    await killed
    world.allow(NUMBERS + 1)
    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*clients)
    for each in listeners:
        assert each.over
        assert each.known == list(range(1, NUMBERS + 1))
        assert len(set(each.said)) == len(each.said)
    assert len({each.task for each in listeners}) == STREAMS
    if victim == "replica":
        assert any(each.breaks for each in listeners)
    rows = await eventually(partial(_rows, world, team, set(calls)), "all is on record", seconds=SECONDS)
    _check(rows or [], set(calls), listeners)


async def _rows(world: World, team: str, calls: set[str]) -> list[Row] | None:
    """What the ledger holds of a team, once it has all that was answered and what is below that: writers
    deliver independently of each other.
    """
    store = open_store(f"sqlite://{world.stack.directory}/state/gatestack.db")
    try:
        every = [opened(row.body) for writer in await store.writers() async for row in store.rows(writer)]
    finally:
        await store.close()
    rows = [row for row in every if row.team == team]
    answered = {row.id for row in rows if row.service == "api_gateway" and row.outcome == "completed"}
    complete = calls <= {row.id for row in rows} and answered <= {row.parent for row in rows}
    return rows if complete and len(answered) >= STREAMS else None


def _check(rows: list[Row], calls: set[str], listeners: list[Listener]) -> None:
    """One closed entry a call at each service, in its true place, and every model call paid for once."""
    by_id = {row.id: row for row in rows}
    assert len(by_id) == len(rows)
    below = Counter((row.parent, row.service) for row in rows if row.parent)
    assert set(below.values()) == {1}
    assert all(by_id[call].service == "api_gateway" for call in calls)
    paid = [row.cost_micros for row in rows if row.service == "llm_gateway"]
    assert paid == [COST] * STREAMS
    started = [row for row in rows if row.service == "agent_gateway" and row.action == "invoke"]
    assert {row.task for row in started} <= {each.task for each in listeners}
    assert len({row.chain for row in started}) == len(started)
