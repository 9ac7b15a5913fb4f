"""Agents as tools: listed for whom they are, asked on behalf of the caller, cancelled with the call."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from shared import sse
from shared.agent_list import Listed, publish
from shared.asgi import Send
from shared.identity.token import IDENTITY
from shared.redis_client import Redis
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway
from tests.support.agents import Heard, RunningAgent, begin, more, reply, scripted
from tests.support.serve import someone
from tests.support.wait import SECONDS, eventually

RULES = [
    {"sub": "user:alice", "dom": "*", "obj": "agent:*", "act": "*"},
    {"sub": "user:bob", "dom": "*", "obj": "agent:slow", "act": "*"},
]
AGENTS = [
    Listed(name="planner", title="Planner", description="Plans."),
    Listed(name="slow"),
    Listed(name="private", serves="globex"),
]


class Edge:
    """The edge as far as agents are behind it: `planner` answers, `slow` says one word and no more."""

    def __init__(self) -> None:
        self.canceled = asyncio.Event()

    async def __call__(self, heard: Heard, send: Send) -> None:
        method = heard.body["method"]
        if method == "CancelTask":
            self.canceled.set()
            await reply(send, _answer(heard, {"id": "t", "status": {"state": "TASK_STATE_CANCELED"}}))
        elif heard.path == "/agents/planner" and method == "SendStreamingMessage":
            error = {"code": -32004, "message": "it cannot stream"}
            await reply(send, msgspec.json.encode({"jsonrpc": "2.0", "id": "1", "error": error}))
        elif heard.path == "/agents/planner":
            done = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_COMPLETED"}}
            artifact = {"artifactId": "a", "parts": [{"text": "a plan"}]}
            await reply(send, _answer(heard, {"task": done | {"artifacts": [artifact]}}))
        else:
            await begin(send)
            task = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}
            await more(send, sse.encode(_answer(heard, {"task": task})))
            await asyncio.Event().wait()


def _answer(heard: Heard, result: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": heard.body["id"], "result": result})


@pytest.fixture
async def edge() -> Edge:
    return Edge()


@contextlib.asynccontextmanager
async def agents(opened: Open, redis: Redis, edge: Edge) -> AsyncIterator[tuple[Gateway, RunningAgent]]:
    await publish(redis, AGENTS)
    async with scripted(edge) as behind:
        rule = {"transport": {"type": "agents", "url": behind.url}}
        async with opened({"agents": rule}, rules=RULES) as gateway:
            yield gateway, behind


async def test_each_caller_sees_the_agents_that_it_may_use(opened: Open, redis: Redis, edge: Edge) -> None:
    async with agents(opened, redis, edge) as (gateway, _):
        assert await gateway.tools() == ["agents__planner", "agents__slow"]
        assert await gateway.tools(caller=someone("user:bob")) == ["agents__slow"]
        assert await gateway.tools(caller=someone("user:eve")) == []


async def test_one_that_cannot_stream_is_asked_whole(opened: Open, redis: Redis, edge: Edge) -> None:
    async with agents(opened, redis, edge) as (gateway, behind):
        heard = await gateway.call("agents__planner", {"message": "plan!", "context_id": "c"})
        result = heard.json["result"]
        assert result["content"] == [{"type": "text", "text": "a plan"}]
        assert result["structuredContent"] == {"state": "completed", "context_id": "c", "task_id": "t"}
        asked = behind.heard[-1]
        assert asked.body["params"]["message"]["parts"] == [{"text": "plan!"}]
        assert asked.body["params"]["message"]["contextId"] == "c"
        [row] = await gateway.service.rows(1)
        assert (row.resource, row.outcome) == ("agent:planner", "completed")


async def test_it_is_asked_as_the_caller_below_the_tool_call(opened: Open, redis: Redis, edge: Edge) -> None:
    async with agents(opened, redis, edge) as (gateway, behind):
        caller = someone("user:alice", "agent:helper")
        with contextlib.suppress(KeyError):
            await gateway.call("agents__planner", {"message": "plan!"}, caller=caller)
        assert behind.heard == []  # the chain's agent may not: every principal must be allowed
        await gateway.call("agents__planner", {"message": "plan!"})
        token = behind.heard[-1].bearer
        claims = await gateway.service.parts.verifier.verify(token, audience="api_gateway", typ=IDENTITY)
        row = (await gateway.service.rows(2))[-1]
        assert (claims["iss"], claims["parent"], claims["txn"]) == ("mcp_gateway", row.id, row.chain)
        assert claims["chain"] == ["user:alice"]


async def test_who_leaves_takes_the_task_along(opened: Open, redis: Redis, edge: Edge) -> None:
    async with agents(opened, redis, edge) as (gateway, behind):
        calling = asyncio.create_task(gateway.call("agents__slow", {"message": "hi"}))
        await eventually(lambda: behind.heard, "the agent is asked")
        calling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await calling
        await asyncio.wait_for(edge.canceled.wait(), SECONDS)
        assert behind.heard[-1].body["params"] == {"id": "t"}


@pytest.mark.parametrize("arguments", [{}, {"message": 7}, {"message": "hi", "more": 1}])
async def test_arguments_are_checked(
    opened: Open, redis: Redis, edge: Edge, arguments: dict[str, Any]
) -> None:
    async with agents(opened, redis, edge) as (gateway, behind):
        assert (await gateway.call("agents__planner", arguments)).status >= 400
        assert behind.heard == []
