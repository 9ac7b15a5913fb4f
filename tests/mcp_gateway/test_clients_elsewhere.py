"""Clients that are not the Python SDK, unmodified: both official TypeScript SDKs, and an agent framework."""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from agents import Agent, ModelResponse, RunConfig, Runner, Usage
from agents.mcp import MCPServerStreamableHttp
from agents.models.interface import Model
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, http
from tests.support.mcp_everything import Era, everything_app
from tests.support.serve import serving

JS = Path(__file__).parents[1] / "js"
NODE = shutil.which("node")
ERAS: tuple[Era, ...] = ("session", "stateless")
# The first SDK has only one mode.
SDKS = {
    "first": ("1", "legacy"),
    "sessions": ("2", "legacy"),
    "stateless": ("2", "2026-07-28"),
    "auto": ("2", "auto"),
}
needs_node = pytest.mark.skipif(
    NODE is None or not (JS / "node_modules" / "@modelcontextprotocol" / "client").is_dir(),
    reason="the JavaScript clients are not installed: `make setup` does that where there is npm",
)


@needs_node
@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("era", ERAS)
async def test_the_typescript_sdks_do_everything(opened: Open, sdk: str, era: Era) -> None:
    async with serving(everything_app(era)) as url, opened({"one": http(url)}) as gateway:
        seen = await _run(gateway, *SDKS[sdk])
    assert {"one__test_simple_text", "one__test_elicitation"} <= set(seen["tools"])
    assert seen["said"] == "This is a simple text response for testing."
    assert (seen["failed"], seen["progress"]) == (True, [0, 50, 100])
    assert "ada@example.com" in seen["asked"]
    assert seen["read"] == "This is the content of the static text resource."
    assert seen["prompt"] == "This is a simple prompt for testing."


async def _run(gateway: Gateway, sdk: str, mode: str) -> dict[str, Any]:
    given = {"URL": f"{gateway.service.url}/mcp", "TOKEN": gateway.identity()["txn-token"]}
    names = {"SDK": sdk, "MODE": mode, "TOOL": "one__", "RESOURCE": "one+"}
    process = await asyncio.create_subprocess_exec(
        *(str(NODE), "mcp_client.mjs"),
        cwd=JS,
        env={"PATH": os.environ["PATH"], **given, **names},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, errors.decode()
    seen: dict[str, Any] = msgspec.json.decode(output)
    return seen


class Scripted(Model):
    """A model that uses a tool once and then repeats what it was told."""

    def __init__(self, tool: str, arguments: dict[str, Any]) -> None:
        self._call = (tool, msgspec.json.encode(arguments).decode())
        self.offered: list[str] = []

    async def get_response(
        self,
        system_instructions: str | None,
        input: Any,
        model_settings: Any,
        tools: Any,
        *args: Any,
        **more: Any,
    ) -> ModelResponse:
        self.offered = [tool.name for tool in tools]
        told = (
            [item["output"] for item in input if item.get("type") == "function_call_output"]
            if isinstance(input, list)
            else []
        )
        output: Any = _says(str(told[-1])) if told else _calls(*self._call)
        return ModelResponse(output=[output], usage=Usage(), response_id=None)

    def stream_response(self, *args: Any, **more: Any) -> Any:
        raise NotImplementedError("nobody streams here")


@pytest.mark.parametrize("era", ERAS)
async def test_an_agent_of_the_openai_sdk_uses_a_tool(opened: Open, era: Era) -> None:
    model = Scripted("one__test_simple_text", {})
    async with serving(everything_app(era)) as url, opened({"one": http(url)}) as gateway:
        params: Any = {"url": f"{gateway.service.url}/mcp", "headers": gateway.identity()}
        async with MCPServerStreamableHttp(params) as server:
            agent = Agent(name="one", model=model, mcp_servers=[server])
            run = await Runner.run(agent, "Go on.", run_config=RunConfig(tracing_disabled=True))
    assert "one__test_elicitation" in model.offered
    assert "This is a simple text response for testing." in run.final_output


def _calls(tool: str, arguments: str) -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(type="function_call", call_id="c", name=tool, arguments=arguments)


def _says(text: str) -> ResponseOutputMessage:
    content = ResponseOutputText(type="output_text", text=text, annotations=[])
    return ResponseOutputMessage(
        id="m", type="message", role="assistant", status="completed", content=[content]
    )
