"""Agents as they are looked for through the edge: with the command line, and with a key."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from agent_gateway.app import SERVICE as AGENTS
from api_gateway.app import SERVICE as EDGE
from shared.http_client import HttpClient
from shared.identity.keys import KeyRecord
from shared.redis_client import Redis
from shared.valkey import EmbeddedValkey
from tests.api_gateway.office import Said, said
from tests.support.agents import Echo, RunningAgent, agent
from tests.support.serve import Edge, Running, running
from tests.support.wait import eventually

RULES = [
    {"sub": "user:operator", "dom": "*", "obj": "*", "act": "*"},
    {"sub": "user:reader", "dom": "*", "obj": "route:agents", "act": "*"},
    {"sub": "user:reader", "dom": "*", "obj": "agent:*", "act": "*"},
]
CASHIER = {"kind": "chat", "model": "m", "description": "Gives customers back what they paid for orders."}
METEO = {"kind": "chat", "model": "m", "description": "Tells the forecast\u202e for a city."}


class Front(Struct, frozen=True):
    edge: Running
    home: Path
    writer: RunningAgent

    async def key(self, sub: str) -> str:
        wanted = KeyRecord(id="", hash="", sub=sub, tenant="system")
        secret, _ = await self.edge.app.state.control.create_key(wanted)
        await eventually(lambda: self.edge.parts.keyring.find(secret), "the key is known")
        return str(secret)

    async def say(self, sub: str, *argv: str) -> Said:
        file = self.home / f"{sub.partition(':')[2]}.key"
        file.write_text(await self.key(sub))
        command = ("catalog", "agents", *argv, "--url", self.edge.url, "--key-file", str(file))
        return await asyncio.to_thread(said, *command)

    async def get(self, sub: str, path: str) -> tuple[int, bytes]:
        http = HttpClient()
        try:
            headers = [("authorization", f"Bearer {await self.key(sub)}")]
            async with await http.send("GET", self.edge.url + path, headers=headers) as reply:
                return reply.status, await reply.read(65_536)
        finally:
            await http.close()


@contextlib.asynccontextmanager
async def opened(directory: Path, redis: str) -> AsyncIterator[Front]:
    keys = Edge(directory)
    async with agent(Echo()) as writer, contextlib.AsyncExitStack() as stack:
        agents = {"cashier": {"bridge": CASHIER}, "meteo": {"bridge": METEO}, "writer": {"url": writer.url}}
        inner: dict[str, Any] = {
            "agent_gateway": {"agents": agents},
            "identity": {"trust": {"api_gateway": str(keys.jwks)}},
        }
        behind = await stack.enter_async_context(running(AGENTS, inner, directory, redis=redis))
        outer: dict[str, Any] = {
            "identity": {"keys_dir": str(keys.keys_dir), "trust": {}},
            "policy": {"rules": RULES},
            "api_gateway": {"gateways": {"agent_gateway": [behind.url]}},
        }
        edge = await stack.enter_async_context(running(EDGE, outer, directory, redis=redis))
        await eventually(lambda: not behind.parts.problems(), "the policy")
        yield Front(edge, directory, writer)


@pytest.fixture
async def front(tmp_path: Path, valkey: EmbeddedValkey, redis: Redis) -> AsyncIterator[Front]:
    async with opened(tmp_path, valkey.url) as found:
        yield found


async def test_agents_are_looked_for_on_the_command_line(front: Front) -> None:
    found = await front.say("user:operator", "search", "pay a client for returned goods", "--json")
    assert [each["name"] for each in found.json] == ["cashier"]
    told = await front.say("user:operator", "search", "will it rain tomorrow in Paris")
    assert "meteo" in told.out
    assert "\u202e" not in told.out
    nothing = await front.say("user:operator", "search", "rain", "--tag", "no-such-tag")
    assert "no such agent" in nothing.out


async def test_the_original_card_goes_through_the_edge_to_operators_only(front: Front) -> None:
    path = "/agents/writer/card/original"
    status, body = await front.get("user:operator", path)
    assert status == 200
    assert front.writer.url.encode() in body
    status, body = await front.get("user:reader", path)
    assert status == 403
    assert front.writer.url.encode() not in body
    assert (await front.get("user:reader", "/agents/writer/.well-known/agent-card.json"))[0] == 200
