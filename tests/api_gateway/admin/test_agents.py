"""Operators register agents by their cards' addresses, and approve what has changed in them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_gateway.trust.sign import signed
from api_gateway.app import SERVICE
from api_gateway.cli import main
from api_gateway.control import Control
from shared.agents import DRIFT, AgentRecord, Drift
from shared.asgi import Send
from shared.card_trust import trusted
from shared.http_client import HttpClient
from shared.identity.keys import KeyRecord
from shared.identity.signing import Signer
from tests.api_gateway.office import opened
from tests.support.agents import Heard, begin, more, reply, scripted
from tests.support.serve import Running, running
from tests.support.wait import eventually

RULES = [{"sub": "user:*", "dom": "*", "obj": "admin:agents", "act": "*"}]
CARD: dict[str, Any] = {
    "name": "writer",
    "description": "writes",
    "skills": [{"id": "write", "name": "Write"}],
    "supportedInterfaces": [],
}


class Desk:
    """The edge with one operator of all tenants and one of the tenant acme."""

    def __init__(self, edge: Running, http: HttpClient, all_tenants: str, acme: str) -> None:
        self.edge = edge
        self.http = http
        self.secrets = {"": all_tenants, "acme": acme}
        self.control: Control = edge.app.state.control

    async def ask(self, method: str, path: str, body: Any = None, who: str = "") -> tuple[int, Any]:
        headers = [("authorization", f"Bearer {self.secrets[who]}"), ("content-type", "application/json")]
        sent = b"" if body is None else msgspec.json.encode(body)
        url = f"{self.edge.url}/admin/api/agents{path}"
        async with await self.http.send(method, url, headers=headers, body=sent) as answer:
            return answer.status, msgspec.json.decode(await answer.read(1_000_000))

    async def drift(
        self, name: str, card: dict[str, Any], why: str = "changed", *, sign: bool = False
    ) -> str:
        pin = trusted(card, ()).pin
        found = Drift(pin, card, ['description: "writes" -> "else"'], why, 1, sign)
        await self.edge.parts.redis.execute("HSET", DRIFT, name, msgspec.json.encode(found))
        return pin


@contextlib.asynccontextmanager
async def desk_of(directory: Path, allow: list[str]) -> AsyncIterator[Desk]:
    http = HttpClient()
    config = {"policy": {"rules": RULES}, "api_gateway": {"registry": {"allow": allow}}}
    try:
        async with running(SERVICE, config, directory) as edge:
            known = {"keys", "kills", "policy", "agents"}
            await eventually(lambda: known - {"agents"} <= edge.parts.snapshots.epochs().keys(), "the start")
            control: Control = edge.app.state.control
            secrets = []
            for tenant in ("system", "acme"):
                secret, _ = await control.create_key(
                    KeyRecord(id="", hash="", sub=f"user:{tenant}", tenant=tenant)
                )
                secrets.append(secret)
            yield Desk(edge, http, *secrets)
    finally:
        await http.close()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_of(tmp_path, ["127.0.0.1"]) as desk:
        yield desk


async def _card(_: Heard, send: Send) -> None:
    await reply(send, msgspec.json.encode(CARD))


async def test_an_agent_is_looked_at_registered_listed_and_removed(desk: Desk) -> None:
    async with scripted(_card) as writer:
        status, seen = await desk.ask("POST", "/preview", {"card_url": writer.card_url})
        assert (status, seen["card"]["name"], seen["signed"]) == (200, "writer", False)
        assert await desk.ask("GET", "") == (200, {"agents": []})
        body = {"card_url": writer.card_url, "owner": "team:docs", "tags": ["prose"], "pin": seen["pin"]}
        status, made = await desk.ask("PUT", "/writer", body)
        assert (status, made["pin"], made["skills"]) == (200, seen["pin"], ["write"])
        assert "authorization" not in writer.heard[0].headers
    [listed] = (await desk.ask("GET", ""))[1]["agents"]
    assert (listed["name"], listed["owner"], listed["by"]) == ("writer", "team:docs", "user:system")
    payload = await desk.edge.parts.redis.execute("GET", "gs:snapshot:agents")
    assert msgspec.json.decode(bytes(payload).partition(b"\n")[2])[0]["name"] == "writer"
    assert await desk.ask("DELETE", "/writer") == (200, {"removed": "writer"})
    assert (await desk.ask("DELETE", "/writer"))[0] == 404


async def test_a_card_other_than_the_one_that_was_looked_at_is_not_registered(desk: Desk) -> None:
    async with scripted(_card) as writer:
        body = {"card_url": writer.card_url, "pin": "0" * 64}
        assert (await desk.ask("PUT", "/writer", body))[0] == 400


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/card",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "file:///etc/passwd",
        "http://user:secret@example.com/",
        "gopher://example.com/",
        "",
    ],
)
async def test_only_public_addresses_are_looked_at(tmp_path: Path, url: str) -> None:
    async with desk_of(tmp_path, []) as desk:
        assert (await desk.ask("POST", "/preview", {"card_url": url}))[0] in (400, 403)


@pytest.mark.parametrize("how", ["redirect", "huge", "no card", "no json", "nan", "two names"])
async def test_what_is_no_card_is_not_taken(desk: Desk, how: str) -> None:
    async def script(_: Heard, send: Send) -> None:
        if how == "redirect":
            await reply(send, b"", status=302, location="http://169.254.169.254/")
        elif how == "huge":
            await begin(send, kind="application/json")
            for _number in range(300):
                await more(send, b" " * 1024)
            await send({"type": "http.response.body", "body": b"{}"})
        else:
            bodies = {"no card": b"[]", "no json": b"<html>", "nan": b'{"name":"x","n":1e999}'}
            await reply(send, bodies.get(how, b'{"name":"x","name":"y"}'))

    async with scripted(script) as odd:
        status, answer = await desk.ask("POST", "/preview", {"card_url": odd.card_url})
        assert status == 400, answer
        assert len(odd.heard) == 1


async def test_a_card_must_be_signed_by_the_keys_that_are_registered(desk: Desk) -> None:
    publisher, stranger = Signer("publisher"), Signer("stranger")
    served: list[dict[str, Any]] = [signed(CARD, publisher)]

    async def script(_: Heard, send: Send) -> None:
        await reply(send, msgspec.json.encode(served[0]))

    keys = msgspec.json.decode(publisher.jwks())["keys"]
    async with scripted(script) as writer:
        body = {"card_url": writer.card_url, "keys": keys}
        assert (await desk.ask("PUT", "/writer", body))[0] == 200
        for card in (CARD, signed(CARD, stranger)):
            served[0] = card
            assert (await desk.ask("PUT", "/writer", body))[0] == 400
        assert (await desk.ask("PUT", "/writer", {**body, "keys": [{"kty": "oct"}]}))[0] == 400
    await desk.drift("writer", CARD)
    status, answer = await desk.ask("POST", "/writer/approve", {})
    assert (status, "signature" in answer["detail"]) == (400, True)


async def test_what_has_changed_is_listed_and_approved(desk: Desk) -> None:
    await desk.control.put_agent(
        AgentRecord(name="writer", tenant="acme", card_url="http://x.test/", pin="old")
    )
    assert (await desk.ask("POST", "/writer/approve", {}))[0] == 404
    pin = await desk.drift("writer", {**CARD, "description": "else"})
    [listed] = (await desk.ask("GET", "", who="acme"))[1]["agents"]
    assert listed["state"] == "quarantined"
    assert listed["drift"]["changes"] == ['description: "writes" -> "else"']
    assert (await desk.ask("POST", "/writer/approve", {"pin": "0" * 64}))[0] == 400
    status, made = await desk.ask("POST", "/writer/approve", {"pin": pin}, who="acme")
    assert (status, made["pin"], made["state"]) == (200, pin, "active")
    [record] = await desk.control.store.agents("acme")
    assert (record.pin, record.tenant, record.card["description"]) == (pin, "acme", "else")
    assert (await desk.ask("GET", ""))[1]["agents"][0].get("drift") is None


async def test_a_configured_agent_is_approved_by_operators_of_all_tenants_only(desk: Desk) -> None:
    pin = await desk.drift("planner", CARD)
    assert [agent["name"] for agent in (await desk.ask("GET", ""))[1]["agents"]] == ["planner"]
    assert (await desk.ask("GET", "", who="acme"))[1]["agents"] == []
    assert (await desk.ask("POST", "/planner/approve", {}, who="acme"))[0] == 404
    assert (await desk.ask("PUT", "/planner", {"state": "active"}, who="acme"))[0] == 400
    status, made = await desk.ask("POST", "/planner/approve")
    assert (status, made["pin"], made["card_url"]) == (200, pin, "")


async def test_dismissing_looks_at_the_agent_anew(desk: Desk) -> None:
    await desk.drift("planner", CARD)
    assert (await desk.ask("POST", "/planner/dismiss"))[0] == 200
    assert (await desk.ask("POST", "/planner/dismiss"))[0] == 404


async def test_a_tenants_name_is_not_another_tenants_to_take(desk: Desk) -> None:
    async with scripted(_card) as writer:
        body = {"card_url": writer.card_url}
        await desk.control.put_agent(AgentRecord(name="writer", tenant="other", card_url="http://x.test/"))
        assert (await desk.ask("PUT", "/writer", body, who="acme"))[0] == 403
        assert (await desk.ask("DELETE", "/writer", who="acme"))[0] == 404
        status, made = await desk.ask("PUT", "/mine", body, who="acme")
        assert (status, made["tenant"]) == (200, "acme")
        assert (await desk.ask("PUT", "/theirs", {**body, "tenant": "other"}, who="acme"))[0] == 403


async def test_the_command_line_does_all_of_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATESTACK_URL", desk.edge.url)
    monkeypatch.setenv("GATESTACK_KEY", desk.secrets[""])

    async def run(*words: str) -> str:
        assert await asyncio.to_thread(main, ["catalog", "agents", *words]) == 0
        return capsys.readouterr().out

    async with scripted(_card) as writer:
        assert "not signed" in await run("add", "writer", writer.card_url, "--dry-run")
        assert "no agent" in await run("list")
        assert "is registered" in await run("add", "writer", writer.card_url, "--tag", "prose")
    await desk.drift("writer", {**CARD, "description": "else"}, "the card is another one")
    listed = await run("list")
    assert "quarantined" in listed
    assert 'description: "writes" -> "else"' in listed
    assert "is approved" in await run("approve", "writer")
    assert "removed" in await run("remove", "writer")


async def test_only_operators_of_the_whole_stack_learn_why_an_address_is_not_called(tmp_path: Path) -> None:
    rule = {"id": "own", "sub": "user:eve", "dom": "acme", "obj": "admin:*", "act": "*"}
    # A name that no resolver is asked about, and one that every machine knows.
    names = {"localhost": "leads to ", "a..example": "does not resolve ("}
    async with opened(tmp_path, {"rules": [rule]}) as office:
        eve = await office.key("user:eve", "acme")
        for host, why in names.items():
            public = f"{host} is not an address that may be called from here, or does not resolve"
            body = {"card_url": f"https://{host}:9/card.json"}
            own = await office.ask("POST", "/agents/preview", body)
            assert own.body["detail"].startswith(f"{public}: {host} {why}"), own.body
            others = await office.ask("POST", "/agents/preview", body, key=eve)
            assert (others.status, others.body["detail"]) == (own.status, public) == (403, public)
