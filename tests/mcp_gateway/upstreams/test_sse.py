"""Servers over the transport of 2024-11-05, made with the official SDK, and one that sends us elsewhere."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.questions.test_clients import MODES, User
from tests.support.mcp_everything import Everything
from tests.support.mcp_rogue import begin
from tests.support.serve import serving


def sse(url: str, **more: Any) -> dict[str, Any]:
    return {"transport": {"type": "sse", "url": f"{url}/sse", **more}}


def sse_app(server: Server[Any]) -> Any:
    """`server` as it was reached in 2024."""
    transport = SseServerTransport("/messages/")

    async def stream(request: Any) -> Response:
        async with transport.connect_sse(request.scope, request.receive, request._send) as (read, write):
            await server.run(read, write, server.create_initialization_options())
        return Response()

    return Starlette(routes=[Route("/sse", stream), Mount("/messages/", app=transport.handle_post_message)])


@pytest.fixture
async def old() -> AsyncIterator[str]:
    async with serving(sse_app(Everything())) as url:
        yield url


@pytest.mark.parametrize("mode", MODES)
async def test_it_is_called_and_asks_like_any_other(opened: Open, old: str, mode: str) -> None:
    user = User()
    async with (
        opened({"old": sse(old)}) as gateway,
        gateway.client(mode, "/servers/old/mcp", **user.callbacks) as client,
    ):
        plain = await client.call_tool("test_simple_text", {})
        assert "simple text" in plain.content[0].text  # type: ignore[union-attr]
        steps: list[float] = []

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            steps.append(progress)

        await client.call_tool("test_tool_with_progress", {}, progress_callback=on_progress)
        assert len(steps) >= 3
        asked = await client.call_tool("test_input_required_result_elicitation", {})
        assert "Bo" in asked.content[0].text  # type: ignore[union-attr]
        [message] = user.asked
        assert message == "What is your name?"


@pytest.mark.parametrize("place", ["http://127.0.0.1:1/messages", "//evil.example/x", "https:"])
async def test_an_address_of_somebody_else_is_not_written_to(opened: Open, place: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await begin(send)
        event = f"event: endpoint\ndata: {place}\n\n".encode()
        await send({"type": "http.response.body", "body": event, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    async with serving(app) as url, opened({"old": sse(url)}) as gateway:
        heard = await gateway.call("x", path="/servers/old/mcp")
        assert heard.error["code"] == -32014
        assert "somewhere else" in heard.error["message"]
