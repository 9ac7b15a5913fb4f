"""One stack for all modules that bring none of their own: four services in processes of their own; models,
tools and agents are the test's.
"""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.stack.puppet import perform
from tests.support.agents import CallingBack as Puppet
from tests.support.agents import Parts, Patient, RunningAgent, agent
from tests.support.identity_provider import AUDIENCE, IdentityProvider
from tests.support.identity_provider import provider as identity_provider
from tests.support.mcp_servers import Seen, tool_server
from tests.support.providers import ScriptedProvider, completion
from tests.support.serve import serving
from tests.support.stack import Stack, running_stack

PUPPETS = ("planner", "researcher", "outsider", "loop", "a1", "a2", "a3", "a4", "a5", "a6")
TENANT = "acme"
BAD_MODELS = tuple(f"bad-{name}" for name in ("garbage", "cut", "429", "500", "401", "400", "stream"))

RULES: list[dict[str, str]] = [
    {"id": "routes", "sub": "*", "dom": TENANT, "obj": "route:*", "act": "invoke"},
    {"id": "models", "sub": "*", "dom": TENANT, "obj": "model:fast", "act": "*"},
    {"id": "bob-bad", "sub": "user:bob", "dom": TENANT, "obj": "model:bad-*", "act": "*"},
    {"id": "staff-agents", "sub": "user:alice", "dom": TENANT, "obj": "agent:*", "act": "*"},
    {"id": "bob-agents", "sub": "user:bob", "dom": TENANT, "obj": "agent:*", "act": "*"},
    {"id": "services-agents", "sub": "service:*", "dom": TENANT, "obj": "agent:*", "act": "*"},
    {"id": "agents-agents", "sub": "agent:*", "dom": TENANT, "obj": "agent:*", "act": "*"},
    {"id": "echo", "sub": "*", "dom": TENANT, "obj": "tool:tools/echo", "act": "*"},
    {"id": "alice-adds", "sub": "user:alice", "dom": TENANT, "obj": "tool:tools/add", "act": "*"},
    {"id": "researcher-adds", "sub": "agent:researcher", "dom": TENANT, "obj": "tool:tools/add", "act": "*"},
    {"id": "globex", "sub": "*", "dom": "globex", "obj": "*", "act": "*"},
]


class World:
    """The stack and everything round it."""

    def __init__(
        self, stack: Stack, provider: ScriptedProvider, agents: dict[str, RunningAgent], seen: Seen
    ) -> None:
        self.stack = stack
        self.provider = provider
        self.agents = agents
        self.seen = seen

    @property
    def url(self) -> str:
        return self.stack.url

    async def key(self, sub: str = "user:alice", tenant: str = TENANT, **more: Any) -> str:
        return await self.stack.key(sub, tenant, **more)

    async def steps(self, key: str, agent: str, *steps: Any) -> tuple[list[dict[str, str]], str]:
        """What became of `steps`, done by `agent` for the holder of `key`, and the chain's id."""
        message = {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": json.dumps(steps)}]}
        body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
        answer = await self.stack.send(
            "POST", f"/agents/{agent}", key=key, body=body, headers={"a2a-version": "1.0"}
        )
        assert answer.status == 200, answer.body
        assert "result" in answer.json, answer.body
        text = answer.json["result"]["message"]["parts"][0]["text"]
        return json.loads(text), answer.headers["x-gatestack-chain"]


@contextlib.asynccontextmanager
async def open_world(directory: Path, **sections: Any) -> AsyncIterator[World]:
    async with contextlib.AsyncExitStack() as opened:
        provider = await opened.enter_async_context(ScriptedProvider())
        provider.will(completion("hello"))
        seen = Seen()
        tools = await opened.enter_async_context(serving(tool_server("tools", seen).streamable_http_app()))
        edge: list[str] = []

        async def act(bearer: str, text: str) -> str:
            return await perform(edge[0], bearer, text)

        agents = {name: await opened.enter_async_context(agent(Puppet(act), name)) for name in PUPPETS}
        agents["patient"] = await opened.enter_async_context(agent(Patient(), "patient"))
        agents["parts"] = await opened.enter_async_context(agent(Parts(), "parts"))
        config = _sections(provider.base_url, tools, agents)
        for name, section in sections.items():
            config[name] = {**config.get(name, {}), **section}
        stack = await opened.enter_async_context(running_stack(directory, **config))
        edge.append(stack.url)
        yield World(stack, provider, agents, seen)


def _sections(provider: str, tools: str, agents: dict[str, RunningAgent]) -> dict[str, Any]:
    return {
        "policy": {"rules": RULES},
        "telemetry": {"sample": 1.0, "exporter": "file", "file": "spans.jsonl"},
        "llm_gateway": {
            "providers": {"scripted": {"base_url": provider}},
            "models": {
                "fast": {
                    "targets": [{"provider": "scripted", "model": "m1"}],
                    "price": {"in": 1_000_000, "out": 2_000_000},
                },
                # One target each, so that the breaker of one test's failures stays out of the others'.
                **{name: {"targets": [{"provider": "scripted", "model": name}]} for name in BAD_MODELS},
                "secret": {"targets": [{"provider": "scripted", "model": "m2"}]},
            },
        },
        "mcp_gateway": {"servers": {"tools": {"transport": {"type": "http", "url": f"{tools}/mcp"}}}},
        "agent_gateway": {"agents": {name: {"url": running.url} for name, running in agents.items()}},
    }


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def idp() -> AsyncIterator[IdentityProvider]:
    """Its tokens stand for the service that they name, in the tenant `org`."""
    async with identity_provider() as idp:
        yield idp


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory, idp: IdentityProvider) -> AsyncIterator[World]:
    mapping = {"sub": "service:{name}", "tenant": {"claim": "org"}}
    issuer = {"issuer": idp.url, "audiences": [AUDIENCE], "principals": [mapping]}
    async with open_world(tmp_path_factory.mktemp("stack"), identity={"issuers": [issuer]}) as opened:
        yield opened
