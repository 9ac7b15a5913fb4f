"""Operators register what is no agent as one: nothing is fetched, no address gets in that is not public."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.agents import AgentRecord
from shared.bridges import ChatBridge
from tests.api_gateway.admin.test_agents import desk_of

CHAT: dict[str, Any] = {"kind": "chat", "model": "fast"}


async def test_a_bridge_is_registered_published_and_removed(tmp_path: Path) -> None:
    async with desk_of(tmp_path, []) as desk:
        body = {"bridge": CHAT | {"system": "In verse."}, "owner": "team:docs"}
        status, made = await desk.ask("PUT", "/poet", body, "acme")
        assert (status, made["tenant"], made["bridge"]["model"]) == (200, "acme", "fast")
        payload = await desk.edge.parts.redis.execute("GET", "gs:snapshot:agents")
        [record] = msgspec.json.decode(bytes(payload).partition(b"\n")[2], type=list[AgentRecord])
        assert record.bridge == ChatBridge(model="fast", system="In verse.")
        assert await desk.ask("DELETE", "/poet", None, "acme") == (200, {"removed": "poet"})


@pytest.mark.parametrize(
    "body",
    [
        {"bridge": CHAT, "credential": "none"},
        {"bridge": CHAT, "card_url": "https://agents.example/card.json"},
        {"bridge": CHAT, "pin": "0" * 64},
        {"bridge": CHAT | {"url": "http://127.0.0.1:8080/v1"}},
        {"bridge": CHAT | {"url": "http://169.254.169.254/"}},
        {"bridge": CHAT | {"headers": {"authorization": "secret"}}},
        {"bridge": {"kind": "mcp", "server": "../admin"}},
        {"bridge": {"kind": "shell", "command": "sh"}},
    ],
)
async def test_what_could_do_harm_is_refused(tmp_path: Path, body: dict[str, Any]) -> None:
    async with desk_of(tmp_path, []) as desk:
        assert (await desk.ask("PUT", "/poet", body))[0] in (400, 403)
