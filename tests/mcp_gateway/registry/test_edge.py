"""Registry and skills as they are used: through the edge, with the command line, over replicas."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent
from msgspec import Struct

from api_gateway.app import SERVICE as EDGE
from mcp_gateway.app import SERVICE as MCP
from shared.identity.keys import KeyRecord
from shared.redis_client import Redis
from shared.valkey import EmbeddedValkey
from tests.api_gateway.office import Said, said
from tests.mcp_gateway.gateway import rule
from tests.support.mcp_registry import Registry
from tests.support.serve import Edge, Running, running, serving
from tests.support.wait import eventually

SERVER = {"name": "com.example/weather", "description": "Weather.", "version": "1.0.0"}
SKILL = {"id": "refund", "version": "1.0.0", "description": "Pays back.", "instructions": "Look first."}
RULES = [
    rule("user:operator"),
    rule("user:reader", "route:mcp"),
    rule("user:reader", "tool:com.example/*", "list"),
]


class Front(Struct, frozen=True):
    """An edge in front of two replicas of the tool gateway."""

    edge: Running
    home: Path
    key_file: Path

    async def say(self, *argv: str) -> Said:
        command = ("catalog", *argv, "--url", self.edge.url, "--key-file", str(self.key_file))
        return await asyncio.to_thread(said, *command)

    def file(self, name: str, content: Any) -> str:
        path = self.home / name
        path.write_bytes(msgspec.json.encode(content))
        return str(path)


@contextlib.asynccontextmanager
async def opened(directory: Path, redis: str) -> AsyncIterator[Front]:
    keys = Edge(directory)
    section = {"servers": {"skills": {"transport": {"type": "skills"}}}, "refresh_seconds": 0.01}
    inner: dict[str, Any] = {"mcp_gateway": section, "identity": {"trust": {"api_gateway": str(keys.jwks)}}}
    outer: dict[str, Any] = {
        "identity": {"keys_dir": str(keys.keys_dir), "trust": {}},
        "policy": {"rules": RULES},
    }
    async with contextlib.AsyncExitStack() as stack:
        replicas = [
            await stack.enter_async_context(running(MCP, inner, directory / str(n), redis=redis))
            for n in range(2)
        ]
        own: dict[str, Any] = {"gateways": {"mcp_gateway": [replica.url for replica in replicas]}}
        own["registry"] = {"allow": ["127.0.0.1"]}
        edge = await stack.enter_async_context(
            running(EDGE, outer | {"api_gateway": own}, directory, redis=redis)
        )
        await eventually(lambda: not any(each.parts.problems() for each in replicas), "the policy")
        secret, _ = await edge.app.state.control.create_key(
            KeyRecord(id="", hash="", sub="user:operator", tenant="system")
        )
        await eventually(lambda: edge.parts.keyring.find(secret), "the key is known")
        key_file = directory / "key"
        key_file.write_text(secret)
        yield Front(edge, directory, key_file)


@pytest.fixture
async def front(tmp_path: Path, valkey: EmbeddedValkey, redis: Redis) -> AsyncIterator[Front]:
    async with opened(tmp_path, valkey.url) as found:
        yield found


async def test_what_is_published_is_found_at_every_replica(front: Front) -> None:
    made = await front.say("servers", "publish", "-f", front.file("server.json", SERVER), "--owner", "team:w")
    assert made.code == 0, made.err
    assert "com.example/weather 1.0.0 is published" in made.out

    async def everywhere() -> bool:
        found = [await front.say("servers", "list", "--json") for _ in range(4)]
        return all("com.example/weather" in each.out for each in found)

    await eventually(everywhere, "both replicas know it")
    shown = await front.say("servers", "show", "com.example/weather")
    assert "owner: team:w" in shown.out
    assert "not called through this stack" in shown.out
    found = await front.say("servers", "search", "WEATHER", "--json")
    assert found.json[0]["server"] == SERVER
    again = await front.say("servers", "publish", "-f", front.file("server.json", SERVER))
    assert (again.code, "published already" in again.err) == (1, True)
    await front.say("servers", "state", "com.example/weather", "1.0.0", "deleted", "--reason", "it lies")

    async def nowhere() -> bool:
        found = [await front.say("servers", "list", "--json") for _ in range(4)]
        return not any("com.example/weather" in each.out for each in found)

    await eventually(nowhere, "both replicas know it is gone")


async def test_a_skill_goes_from_the_command_line_to_the_official_client(front: Front) -> None:
    made = await front.say("skills", "publish", "-f", front.file("skill.json", SKILL))
    assert made.code == 0, made.err
    headers = {"authorization": f"Bearer {front.key_file.read_text()}"}

    async def offered() -> bool:
        async with (
            httpx2.AsyncClient(headers=headers, timeout=20) as http,
            Client(streamable_http_client(f"{front.edge.url}/mcp", http_client=http)) as client,
        ):
            if "skills__refund" not in [each.name for each in (await client.list_prompts()).prompts]:
                return False
            prompt = await client.get_prompt("skills__refund")
            told = prompt.messages[0].content
            return isinstance(told, TextContent) and "Look first." in told.text

    await eventually(offered, "the skill is offered")
    found = await front.say("skills", "search", "money back to the customer")
    assert "refund" in found.out
    shown = await front.say("skills", "show", "refund")
    assert "Look first." in shown.out


async def test_another_registry_is_imported_on_the_command_line(front: Front) -> None:
    async with serving(Registry([SERVER, SERVER | {"name": "com.example/radar"}]).app) as url:
        command = ("servers", "import", f"{url}/v0.1", "--reason", "asked for")
        dry = await front.say(*command, "--dry-run")
        assert "would be imported: com.example/radar 1.0.0" in dry.out
        made = await front.say(*command)
    assert (made.code, "imported: com.example/weather 1.0.0" in made.out) == (0, True)
    shown = await front.say("servers", "kept", "--name", "*radar")
    assert "last changed by user:operator: asked for" in shown.out
    assert f"from {url}/v0.1" in shown.out


async def test_a_reader_sees_what_policy_lets_them_and_publishes_nothing(front: Front) -> None:
    for name in ("com.example/weather", "com.secret/vault"):
        await front.say("servers", "publish", "-f", front.file("server.json", SERVER | {"name": name}))
    record = KeyRecord(id="", hash="", sub="user:reader", tenant="acme")
    secret, _ = await front.edge.app.state.control.create_key(record)
    headers = {"authorization": f"Bearer {secret}"}
    async with httpx2.AsyncClient(headers=headers, base_url=f"{front.edge.url}/registry/v0.1") as http:

        async def listed() -> list[str]:
            found = (await http.get("/servers")).json()
            return [each["server"]["name"] for each in found.get("servers", ())]

        await eventually(listed, "the catalog is there")
        assert await listed() == ["com.example/weather"]
        assert (await http.get("/servers/com.secret%2Fvault/versions/latest")).status_code == 404
        assert (await http.get("/servers/com.example%2Fweather/versions/latest")).json()["server"] == SERVER
        assert (await http.post("/publish", json=SERVER | {"version": "9.9.9"})).status_code == 403
        assert (await http.get("/skills")).json() == {"skills": [], "metadata": {"count": 0}}


@pytest.mark.parametrize(
    "path", ["%2f..%2f..%2fadmin/api/keys", "%2f%2fx/versions", "a%2f..%2fb/versions", "a%5cb/versions"]
)
async def test_an_escaped_slash_leads_nowhere_else(front: Front, path: str) -> None:
    headers = [("authorization", f"Bearer {front.key_file.read_text()}")]
    async with httpx2.AsyncClient() as http:
        url = f"{front.edge.url}/registry/v0.1/servers/{path}"
        assert (await http.get(url, headers=headers)).status_code in (400, 404)


async def test_wrong_files_are_said_to_be(front: Front) -> None:
    gone = await front.say("servers", "publish", "-f", str(front.home / "none.json"))
    assert (gone.code, "cannot be read" in gone.err) == (1, True)
    text = await front.say("skills", "publish", "-f", front.file("text.json", ["no object"]))
    assert (text.code, "holds no JSON object" in text.err) == (1, True)
