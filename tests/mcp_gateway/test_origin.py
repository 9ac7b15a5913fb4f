"""Pages in browsers: a name that leads a browser here must not give its page a way in."""

import pytest

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import http


async def test_only_listed_host_names_lead_here(opened: Open, one: str) -> None:
    async with opened({"one": http(one)}, allowed_hosts=["tools.example"]) as gateway:
        assert (await gateway.ask("tools/list")).status == 403
        assert (await gateway.ask("tools/list", headers={"host": "tools.example"})).status == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://evil.example", 403),
        ("https://localhost.evil.example", 403),
        ("http://127.0.0.1.evil.example", 403),
        ("null", 403),
        ("http://[::1", 403),
        ("http://localhost:6274", 200),
        ("http://127.0.0.1:8082", 200),
        ("https://console.example", 200),
    ],
)
async def test_only_known_and_local_pages_may_call(opened: Open, one: str, origin: str, status: int) -> None:
    async with opened({"one": http(one)}, allowed_origins=["https://console.example"]) as gateway:
        heard = await gateway.ask("tools/list", headers={"origin": origin})
        assert heard.status == status
