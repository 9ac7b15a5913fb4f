"""The official client is asked by official servers through the gateway, in all four combinations of eras."""

from typing import Any

import pytest
from mcp import Client
from mcp_types import (
    CreateMessageResult,
    ElicitResult,
    ListRootsResult,
    Root,
    SamplingCapability,
    SamplingToolsCapability,
    TextContent,
)

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, http
from tests.support.mcp_everything import Era, everything_app
from tests.support.serve import serving

MODES = ("legacy", "2026-07-28")
ERAS: tuple[Era, ...] = ("session", "stateless")
PATH = "/servers/e/mcp"


class User:
    """Whoever sits before the client, and its model."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def elicit(self, context: Any, params: Any) -> ElicitResult:
        self.asked.append(params.message)
        return ElicitResult(action="accept", content={"name": "Bo", "username": "bo", "email": "b@o"})

    async def sample(self, context: Any, params: Any) -> CreateMessageResult:
        self.asked.append(params.messages[0].content.text)
        return CreateMessageResult(
            role="assistant", content=TextContent(type="text", text="a model's words"), model="m"
        )

    async def roots(self, context: Any) -> ListRootsResult:
        self.asked.append("roots")
        return ListRootsResult(roots=[Root(uri="file:///srv")])  # type: ignore[arg-type]

    @property
    def callbacks(self) -> dict[str, Any]:
        return {
            "elicitation_callback": self.elicit,
            "sampling_callback": self.sample,
            "sampling_capabilities": SamplingCapability(tools=SamplingToolsCapability()),
            "list_roots_callback": self.roots,
        }


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("prefix", ["", "e__"])
async def test_it_is_asked_for_everything_it_offers(opened: Open, mode: str, era: Era, prefix: str) -> None:
    user = User()
    async with serving(everything_app(era)) as url, opened({"e": http(url)}) as gateway:
        path = "/mcp" if prefix else PATH
        async with gateway.client(mode, path, **user.callbacks) as client:
            assert "Bo" in await _text(client, f"{prefix}test_input_required_result_elicitation")
            assert "a model's words" in await _text(client, f"{prefix}test_sampling", prompt="Say something.")
            assert "file:///srv" in await _text(client, f"{prefix}test_input_required_result_list_roots")
            assert await _text(client, f"{prefix}test_input_required_result_multi_round")
            assert len(user.asked) >= 5
        await _recorded(gateway)


async def _text(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    [block] = result.content
    assert isinstance(block, TextContent)
    assert not result.is_error, block.text
    return block.text


async def _recorded(gateway: Gateway) -> None:
    """Each call's entry says what its client was asked."""
    found = {finding for row in await gateway.service.rows(4) for finding in row.findings}
    assert {"asked:elicitation/create", "asked:sampling/createMessage", "asked:roots/list"} <= found


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("mode", MODES)
async def test_a_server_is_told_what_the_client_offers_and_nothing_else(
    opened: Open, mode: str, era: Era
) -> None:
    async with (
        serving(everything_app(era)) as url,
        opened({"e": http(url)}) as gateway,
        gateway.client(mode, PATH) as client,
    ):
        with pytest.raises(Exception, match="sampling"):
            await client.call_tool("test_missing_capability", {})
