"""The official clients, unmodified, against the edge, with nothing but its address and a key."""

from typing import Any

import openai
import pytest
from a2a.types import CancelTaskRequest, GetTaskRequest, TaskState

from tests.stack import puppet
from tests.stack.conftest import World
from tests.support.providers import completion, stream

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(180),
]


async def test_the_openai_client_chats_streams_and_lists(world: World) -> None:
    key = await world.key()
    async with openai.AsyncOpenAI(base_url=f"{world.url}/v1", api_key=key, max_retries=0) as client:
        assert [model.id async for model in client.models.list()] == ["fast"]
        messages: Any = [{"role": "user", "content": "hi"}]
        answer = await client.chat.completions.create(model="fast", messages=messages)
        assert answer.choices[0].message.content == "hello"
        world.provider.will(stream("a", "b", "c"))
        chunks = await client.chat.completions.create(model="fast", messages=messages, stream=True)
        assert isinstance(chunks, openai.AsyncStream)
        pieces = [c.choices[0].delta.content or "" async for c in chunks if c.choices]
        assert "".join(pieces) == "abc"
        world.provider.will(completion("hello"))
        with pytest.raises(openai.NotFoundError, match="does not exist"):
            await client.chat.completions.create(model="secret", messages=messages)
    async with openai.AsyncOpenAI(base_url=f"{world.url}/v1", api_key="gsk_wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28", "auto"])
@pytest.mark.parametrize(("path", "prefix"), [("/mcp", "tools__"), ("/servers/tools/mcp", "")])
async def test_the_mcp_client_lists_and_calls_in_both_eras(
    world: World, mode: str, path: str, prefix: str
) -> None:
    async with puppet.tools(world.url, await world.key(), mode, path) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {f"{prefix}echo", f"{prefix}add"}
        answer = await client.call_tool(f"{prefix}add", {"a": 2, "b": 40})
        assert answer.structured_content == {"result": 42}


async def test_the_a2a_client_sends_streams_gets_and_cancels(world: World) -> None:
    key = await world.key()
    assert await puppet.ask_agent(world.url, key, "planner", "[]") == "[]"
    streamed = await puppet.ask_agent(world.url, key, "parts", "x", streaming=True)
    assert "one" in streamed
    assert "three" in streamed
    async with puppet.agents(world.url, key, "patient", streaming=True) as client:
        events = client.send_message(puppet.message("wait"))
        task = (await anext(events)).task.id
        assert (await client.get_task(GetTaskRequest(id=task))).id == task
        cancelled = await client.cancel_task(CancelTaskRequest(id=task))
        assert cancelled.status.state == TaskState.TASK_STATE_CANCELED
        _ = [event async for event in events]
