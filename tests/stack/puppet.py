"""What a test's agents do: the steps that a message names, each through the edge with an official SDK and
one bearer.

A message is a JSON list of steps, `{"model": "fast"}`, `{"tool": "tools__echo", "arguments": {…}}`,
`{"agent": "researcher", "text": …}`, `{"loop": step}`; the answer is a JSON list of `{"ok": text}` or
`{"error": text}`.
"""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import httpx2
import openai
from a2a.client import Client as AgentClient
from a2a.client import ClientConfig, ClientFactory
from a2a.helpers import get_stream_response_text, new_text_part
from a2a.types import Message, Role, SendMessageRequest
from mcp import Client as ToolClient
from mcp.client.streamable_http import streamable_http_client

from shared.ledger.entry import new_id

Step = dict[str, Any]
_LONGEST_LOOP = 1000


async def perform(edge: str, bearer: str, text: str) -> str:
    """Does every step of `text` as the holder of `bearer`, and tells what came of each."""
    return json.dumps([await attempted(edge, bearer, step) for step in json.loads(text)])


async def attempted(edge: str, bearer: str, step: Step) -> dict[str, str]:
    try:
        return {"ok": await _step(edge, bearer, step)}
    except Exception as error:  # whatever the SDK makes of a refusal is what the test wants to see
        return {"error": str(_innermost(error))}


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _step(edge: str, bearer: str, step: Step) -> str:
    if "model" in step:
        return await ask_model(edge, bearer, step["model"])
    if "loop" in step:
        return json.dumps(await _looped(edge, bearer, step["loop"]))
    if "tool" in step:
        return await call_tool(edge, bearer, step["tool"], step.get("arguments", {}))
    text = step.get("text", [])
    return await ask_agent(edge, bearer, step["agent"], text if isinstance(text, str) else json.dumps(text))


async def _looped(edge: str, bearer: str, step: Step) -> Step:
    """The same step again and again until it is refused: an agent that does not know when to stop."""
    for done in range(_LONGEST_LOOP):
        found = await attempted(edge, bearer, step)
        if "error" in found or '"error"' in found["ok"]:
            return {"done": done, "refused": found.get("error") or found["ok"]}
    return {"done": _LONGEST_LOOP, "refused": ""}


async def ask_model(edge: str, bearer: str, model: str) -> str:
    async with openai.AsyncOpenAI(base_url=f"{edge}/v1", api_key=bearer, max_retries=0, timeout=20) as client:
        answer = await client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "hi"}]
        )
        return answer.choices[0].message.content or ""


async def call_tool(edge: str, bearer: str, tool: str, arguments: dict[str, Any], mode: str = "auto") -> str:
    async with tools(edge, bearer, mode) as client:
        answer = await client.call_tool(tool, arguments)
        return " ".join(getattr(part, "text", "") for part in answer.content)


@contextlib.asynccontextmanager
async def tools(edge: str, bearer: str, mode: str = "auto", path: str = "/mcp") -> AsyncIterator[ToolClient]:
    headers = {"authorization": f"Bearer {bearer}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=20) as http,
        ToolClient(streamable_http_client(edge + path, http_client=http), mode=mode) as client,
    ):
        yield client


async def ask_agent(edge: str, bearer: str, agent: str, text: str, *, streaming: bool = False) -> str:
    async with agents(edge, bearer, agent, streaming=streaming) as client:
        found = [get_stream_response_text(event) async for event in client.send_message(message(text))]
        return " ".join(part for part in found if part)


@contextlib.asynccontextmanager
async def agents(
    edge: str, bearer: str, agent: str, *, streaming: bool = False
) -> AsyncIterator[AgentClient]:
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {bearer}"}, timeout=20) as http:
        factory = ClientFactory(ClientConfig(httpx_client=http, streaming=streaming))
        yield await factory.create_from_url(f"{edge}/agents/{agent}")


def message(text: str) -> SendMessageRequest:
    return SendMessageRequest(
        message=Message(message_id=new_id(), role=Role.ROLE_USER, parts=[new_text_part(text)])
    )
