"""What an agent does with the bearer it was handed: official clients, the edge as base URL, the bearer as
key.

Nothing here knows Gatestack; it would work with the providers themselves.
"""

import contextlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import httpx2
from a2a.client import ClientConfig, ClientFactory
from a2a.helpers import get_message_text, get_stream_response_text, new_text_message
from a2a.types import Role, SendMessageRequest, TaskState
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult
from openai import AsyncOpenAI

_SECONDS = 300.0


class Stack:
    def __init__(self, url: str, bearer: str) -> None:
        self._url = url
        self._bearer = bearer
        self._headers = {"Authorization": f"Bearer {bearer}"}

    async def think(
        self, task: str, examples: list[tuple[str, str]], question: str, schema: dict[str, Any]
    ) -> dict[str, Any]:
        """The model's answer as an object of this JSON schema. A model this small needs examples more
        than orders.
        """
        messages: list[Any] = [{"role": "system", "content": task}]
        wanted: Any = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        for asked, answered in examples:
            messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
        messages.append({"role": "user", "content": question})
        async with AsyncOpenAI(
            base_url=f"{self._url}/v1", api_key=self._bearer, timeout=_SECONDS, max_retries=0
        ) as client:
            completion = await client.chat.completions.create(
                model="demo",
                messages=messages,
                max_tokens=80,
                temperature=0,
                response_format=wanted,
            )
        return _object(completion.choices[0].message.content or "")

    @contextlib.asynccontextmanager
    async def tools(self) -> AsyncIterator[Client]:
        """A client of everything that may be used: `list_tools`, `call_tool`."""
        async with (
            httpx2.AsyncClient(headers=self._headers, timeout=_SECONDS) as http,
            Client(streamable_http_client(f"{self._url}/mcp", http_client=http)) as client,
        ):
            yield client

    async def ask(self, agent: str, text: str) -> str:
        """Another agent's answer."""
        async with httpx.AsyncClient(headers=self._headers, timeout=_SECONDS) as http:
            factory = ClientFactory(ClientConfig(httpx_client=http, streaming=False))
            client = await factory.create_from_url(f"{self._url}/agents/{agent}")
            request = SendMessageRequest(message=new_text_message(text, role=Role.ROLE_USER))
            [answer] = [response async for response in client.send_message(request)]
        if answer.task.status.state == TaskState.TASK_STATE_FAILED:
            raise RuntimeError(get_message_text(answer.task.status.message))
        return get_stream_response_text(answer)


def text_of(result: CallToolResult) -> str:
    """What a tool said. Raises RuntimeError with it when the tool says that it failed."""
    text = "\n".join(block.text for block in result.content if block.type == "text")
    if result.is_error:
        raise RuntimeError(text)
    return text


def _object(text: str) -> dict[str, Any]:
    """The JSON object in what a model wrote; an empty one where it did not keep to the schema."""
    match = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        found = json.loads(match[0]) if match else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
