"""What is no agent as an agent, and agents as what they are not: one chain, one budget, nobody's rights
grow.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio

from shared.config.load import SERVICES
from tests.stack.conftest import TENANT, World
from tests.stack.puppet import agents, perform, tools
from tests.stack.puppet import message as puppet_message
from tests.stack.test_chains import lineage
from tests.support.agents import CallingBack, agent
from tests.support.mcp_servers import Seen, tool_server
from tests.support.providers import Call, ScriptedProvider, completion, stream
from tests.support.serve import serving
from tests.support.stack import free_ports, running_stack
from tests.support.wait import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
]

RULES: list[dict[str, str]] = [
    {"id": "routes", "sub": "*", "dom": TENANT, "obj": "route:*", "act": "invoke"},
    {"id": "models", "sub": "*", "dom": TENANT, "obj": "model:*", "act": "*"},
    {"id": "alice", "sub": "user:alice", "dom": TENANT, "obj": "agent:*", "act": "*"},
    {"id": "bob", "sub": "user:bob", "dom": TENANT, "obj": "agent:toolbox", "act": "*"},
    {"id": "agents", "sub": "agent:*", "dom": TENANT, "obj": "agent:*", "act": "*"},
    {"id": "alice-tools", "sub": "user:alice", "dom": TENANT, "obj": "tool:*", "act": "*"},
    {"id": "echo", "sub": "*", "dom": TENANT, "obj": "tool:tools/echo", "act": "*"},
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    edge = f"http://127.0.0.1:{ports['api_gateway']}"

    async def act(bearer: str, text: str) -> str:
        return await perform(edge, bearer, text)

    async with (
        ScriptedProvider() as provider,
        serving(tool_server("tools", seen := Seen()).streamable_http_app()) as server,
        agent(CallingBack(act), "planner") as planner,
    ):
        provider.will(hello)
        stack = running_stack(
            tmp_path_factory.mktemp("bridges"),
            ports=ports,
            policy={"rules": RULES},
            llm_gateway={
                "providers": {
                    "scripted": {"base_url": provider.base_url},
                    "agents": {"kind": "agent", "base_url": edge},
                },
                "models": {
                    "fast": {
                        "targets": [{"provider": "scripted", "model": "m1"}],
                        "price": {"in": 1_000_000, "out": 2_000_000},
                    },
                    "plan": {"targets": [{"provider": "agents", "model": "planner"}]},
                },
            },
            mcp_gateway={
                "servers": {
                    "tools": {"transport": {"type": "http", "url": f"{server}/mcp"}},
                    "agents": {"transport": {"type": "agents", "url": edge}},
                }
            },
            agent_gateway={
                "agents": {
                    "planner": {"url": planner.url},
                    "poet": {"bridge": {"kind": "chat", "model": "fast"}},
                    "echoing": {"bridge": {"kind": "chat", "model": "agent:echoing"}},
                    "toolbox": {"bridge": {"kind": "mcp", "server": "tools"}},
                }
            },
        )
        async with stack as running:
            world = World(running, provider, {"planner": planner}, seen)
            await agents_are_known(world)
            yield world


async def agents_are_known(world: World) -> None:
    """The gateways of models and of tools hear of agents a moment after they are ready."""
    key, names = await world.key(), world_agents()

    async def heard() -> bool:
        models = (await world.stack.send("GET", "/v1/models", key=key)).json["data"]
        return {f"agent:{name}" for name in names} <= {model["id"] for model in models}

    async def listed() -> bool:
        # A client keeps the list that it has: every look is a new one's.
        async with tools(world.url, key) as client:
            found = {tool.name for tool in (await client.list_tools()).tools}
        return {f"agents__{name}" for name in names} <= found

    await eventually(heard, "every agent among the models")
    await eventually(listed, "every agent among the tools")


async def hello(call: Call) -> None:
    """Streamed where that is wanted, as real providers do."""
    await (stream("hel", "lo") if call.json.get("stream") else completion("hello"))(call)


async def ask(world: World, key: str, model: str, *steps: Any) -> tuple[str, str]:
    """What the official client gets from an agent that it takes for a model, and the chain's id."""
    async with openai.AsyncOpenAI(base_url=f"{world.url}/v1", api_key=key, max_retries=0) as client:
        answer = await client.chat.completions.with_raw_response.create(
            model=model, messages=[{"role": "user", "content": json.dumps(steps)}]
        )
        return answer.parse().choices[0].message.content or "", answer.headers["x-gatestack-chain"]


async def test_an_agent_is_a_model_and_its_own_model_calls_hang_below_it(world: World) -> None:
    said, chain = await ask(world, await world.key(), "agent:planner", {"model": "fast"})
    assert json.loads(said) == [{"ok": "hello"}]
    rows = await world.stack.entries(chain, 6)
    by_id = {row["id"]: row for row in rows}
    assert [row["service"] for row in rows if row["parent"] not in by_id] == ["api_gateway"]
    [deep] = [row for row in rows if row["resource"] == "model:fast"]
    assert deep["actors"] == ["user:alice", "agent:planner"]
    assert lineage(deep, by_id) == [
        "route:llm",
        "agent:planner",
        "route:agents",
        "agent:planner",
        "route:llm",
    ]
    assert [row["cost_micros"] for row in rows if row["service"] == "llm_gateway"] == [0, 36]
    assert (await world.stack.admin("GET", f"/chains/{chain}")).json["flags"] == []


async def test_models_list_the_agents_that_the_caller_may_use(world: World) -> None:
    async def listed(key: str) -> set[str]:
        found = (await world.stack.send("GET", "/v1/models", key=key)).json["data"]
        return {model["id"] for model in found if model["id"].startswith("agent:")}

    assert await listed(await world.key()) == {f"agent:{name}" for name in world_agents()}
    assert await listed(await world.key("user:bob")) == {"agent:toolbox"}


def world_agents() -> tuple[str, ...]:
    return ("planner", "poet", "echoing", "toolbox")


async def test_an_agent_streams_like_a_model_in_every_dialect(world: World) -> None:
    body = {"model": "agent:poet", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    for path, more in (("/v1/chat/completions", {}), ("/v1/messages", {"max_tokens": 10})):
        heard = await world.stack.send("POST", path, key=await world.key(), body=body | more)
        assert heard.status == 200, heard.body
        assert b"hel" in heard.body
        assert b"lo" in heard.body


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"input": "hi"}),
        ("/v1/images/generations", {"prompt": "hi"}),
        ("/v1/completions", {"prompt": "hi"}),
        ("/v1/rerank", {"query": "hi", "documents": ["a"]}),
        ("/v1/audio/speech", {"input": "hi", "voice": "alloy"}),
    ],
)
async def test_an_agent_is_a_model_for_chats_only(world: World, path: str, body: dict[str, Any]) -> None:
    heard = await world.stack.send("POST", path, key=await world.key(), body=body | {"model": "agent:poet"})
    assert 400 <= heard.status < 500, heard.body


async def test_responses_and_gemini_reach_agents_too(world: World) -> None:
    key = await world.key()
    asked = {"model": "agent:poet", "input": "hi", "store": False}
    assert b"hello" in (await world.stack.send("POST", "/v1/responses", key=key, body=asked)).body
    contents = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    path = "/v1beta/models/agent:poet:generateContent"
    assert b"hello" in (await world.stack.send("POST", path, key=key, body=contents)).body


async def test_a_push_notification_comes_in_through_the_edge(world: World) -> None:
    """Its token is asked for behind the edge: a wrong one finds no webhook."""
    token = {"x-a2a-notification-token": "wrong"}
    heard = await world.stack.send("POST", "/agents/planner/push/nobody", body={}, headers=token)
    assert (heard.status, heard.json["detail"]) == (404, "there is no such webhook")


async def test_a_bridge_pays_for_its_model_out_of_the_chain(world: World) -> None:
    key = await world.key(budget={"model_calls": 1})
    async with agents(world.url, key, "poet") as client:
        [event] = [event async for event in client.send_message(puppet_message("hi"))]
    assert event.task.artifacts[0].parts[0].text == "hello"
    answer = await world.stack.send("POST", "/agents/poet", key=key, body=rpc("hi"), headers=A2A)
    rows = await world.stack.entries(answer.headers["x-gatestack-chain"], 4)
    [model] = [row for row in rows if row["resource"] == "model:fast"]
    assert (model["actors"], model["cost_micros"]) == (["user:alice", "agent:poet"], 36)


async def test_an_agent_whose_model_is_itself_is_refused(world: World) -> None:
    answer = await world.stack.send(
        "POST", "/agents/echoing", key=await world.key(), body=rpc("hi"), headers=A2A
    )
    assert "403" in answer.json["error"]["message"]
    rows = await world.stack.entries(answer.headers["x-gatestack-chain"], 5)
    assert [row["reason"] for row in rows if row["reason"] == "delegation"]


async def test_a_model_that_is_an_agent_under_another_name_makes_no_way_round(world: World) -> None:
    """planner asks the model `plan`, which is planner; and bob may use the model, but not the agent."""
    said, _ = await ask(world, await world.key(), "agent:planner", {"model": "plan"})
    assert "already part of this chain" in said
    with pytest.raises(openai.PermissionDeniedError, match="may not invoke agent:planner"):
        await ask(world, await world.key("user:bob"), "plan", {"model": "fast"})
    with pytest.raises(openai.NotFoundError):
        await ask(world, await world.key("user:bob"), "agent:planner", {"model": "fast"})


async def test_a_scope_narrows_what_is_handed_back(world: World) -> None:
    key = await world.key(scope=["model:*", "route:*"])
    with pytest.raises(openai.PermissionDeniedError):
        await ask(world, key, "plan", {"model": "fast"})


async def test_agents_are_tools(world: World) -> None:
    async with tools(world.url, await world.key()) as client:
        answer = await client.call_tool("agents__planner", {"message": json.dumps([{"model": "fast"}])})
        assert json.loads(getattr(answer.content[0], "text", "")) == [{"ok": "hello"}]
        poem = await client.call_tool("agents__poet", {"message": "hi"})
        assert poem.structured_content["state"] == "completed"
        assert poem.structured_content["context_id"]
    async with tools(world.url, await world.key("user:bob")) as client:
        assert {name for tool in (await client.list_tools()).tools if "agents__" in (name := tool.name)} == {
            "agents__toolbox"
        }


async def test_tools_are_an_agent_under_their_own_policy(world: World) -> None:
    key = await world.key()

    async def send(*parts: Any, caller: str = key, **fields: Any) -> Any:
        body = rpc("", parts=list(parts), **fields)
        return await world.stack.send("POST", "/agents/toolbox", key=caller, body=body, headers=A2A)

    asked = (await send({"text": "add up"})).json["result"]["task"]
    assert asked["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
    assert "echo" in asked["status"]["message"]["parts"][0]["text"]
    # toolbox itself may only echo: the chain may no more than that.
    assert "add" not in asked["status"]["message"]["parts"][0]["text"].split("The tools:")[1]
    call = {"data": {"tool": "echo", "arguments": {"text": "hi"}}}
    done = await send(call, taskId=asked["id"])
    task = done.json["result"]["task"]
    assert task["id"] == asked["id"]
    assert task["artifacts"][0]["parts"][0] == {"text": "tools: hi"}
    rows = await world.stack.entries(done.headers["x-gatestack-chain"], 4)
    [tool] = [row for row in rows if row["resource"] == "tool:tools/echo"]
    assert tool["actors"] == ["user:alice", "agent:toolbox"]
    refused = await send({"data": {"tool": "add", "arguments": {"a": 1, "b": 2}}})
    assert refused.json["result"]["task"]["status"]["state"] == "TASK_STATE_FAILED"
    rows = await world.stack.entries(refused.headers["x-gatestack-chain"], 4)
    assert [row["decision"] for row in rows if row["resource"] == "tool:tools/add"] == ["deny"]


A2A = {"a2a-version": "1.0"}


def rpc(text: str, **fields: Any) -> dict[str, Any]:
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}]} | fields
    return {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
