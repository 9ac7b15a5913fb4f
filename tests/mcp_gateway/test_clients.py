"""The official client, unmodified, in every mode, against both endpoints, before servers of both eras."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
from mcp_types import PromptReference, TextContent

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, http
from tests.support.mcp_servers import PROGRAM, legacy_only, stateless_only, tool_server
from tests.support.serve import serving

MODES = ("legacy", "2026-07-28", "auto")
SPOKEN = {"legacy": "2025-11-25", "2026-07-28": "2026-07-28", "auto": "2026-07-28"}
ENDPOINTS = {"/mcp": ("one__", "one+"), "/servers/one/mcp": ("", "")}
SERVERS = {"session": legacy_only, "stateless": stateless_only}
STDIO = {"transport": {"type": "stdio", "command": sys.executable, "args": [PROGRAM, "one"]}}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("era", SERVERS)
async def test_it_does_everything_over_http(opened: Open, mode: str, path: str, era: str) -> None:
    wrap: Callable[[Any], Any] = SERVERS[era]
    async with (
        serving(wrap(tool_server("one").streamable_http_app())) as url,
        opened({"one": http(url)}) as gateway,
    ):
        await _everything(gateway, mode, path, logs=True)


@pytest.mark.slow
@pytest.mark.parametrize("era", ["stateless", "session"])
async def test_it_does_everything_over_stdio(opened: Open, era: str) -> None:
    server = {"transport": STDIO["transport"] | {"era": era}}
    async with opened({"one": server}, list_timeout_seconds=60) as gateway:
        for mode, path in zip(("legacy", "2026-07-28"), ENDPOINTS, strict=True):
            await _everything(gateway, mode, path, logs=False)


async def _everything(gateway: Gateway, mode: str, path: str, *, logs: bool) -> None:
    prefix, uri_prefix = ENDPOINTS[path]
    logged: list[Any] = []
    steps: list[float] = []

    async def on_log(message: Any) -> None:
        logged.append(message.data)

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    async with gateway.client(mode, path, logging_callback=on_log, log_level="info") as client:
        assert client.protocol_version == SPOKEN[mode]
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert {f"{prefix}echo", f"{prefix}add", f"{prefix}slow"} <= set(names)
        answer = await client.call_tool(f"{prefix}add", {"a": 2, "b": 40})
        assert answer.structured_content == {"result": 42}
        failed = await client.call_tool(f"{prefix}failing", {})
        assert failed.is_error
        done = await client.call_tool(f"{prefix}slow", {"steps": 3}, progress_callback=on_progress)
        assert isinstance(done.content[0], TextContent)
        assert done.content[0].text == "done"
        assert steps == [1, 2, 3]
        assert logged == (["log 1", "log 2", "log 3"] if logs else [])
        await _the_rest(client, prefix, uri_prefix)


async def _the_rest(client: Any, prefix: str, uri_prefix: str) -> None:
    assert [prompt.name for prompt in (await client.list_prompts()).prompts] == [f"{prefix}greet"]
    prompt = await client.get_prompt(f"{prefix}greet", {"who": "Bo"})
    assert prompt.messages[0].content.text == "Greet Bo from one."
    [resource] = (await client.list_resources()).resources
    assert str(resource.uri) == f"{uri_prefix}note://today"
    [read] = (await client.read_resource(str(resource.uri))).contents
    assert (read.text, str(read.uri)) == ("today at one", str(resource.uri))
    [template] = (await client.list_resource_templates()).resource_templates
    assert template.uri_template == f"{uri_prefix}note://of/{{day}}"
    [made] = (await client.read_resource(f"{uri_prefix}note://of/monday")).contents
    assert made.text == "monday at one"
    completed = await client.complete(PromptReference(name=f"{prefix}greet"), {"name": "who", "value": "B"})
    assert completed.completion.values == ["B-one"]
