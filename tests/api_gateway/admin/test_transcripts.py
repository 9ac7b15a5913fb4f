"""What was said is read by who may read it, vouched for by the ledger, and every look at it is on record."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from api_gateway import cli
from api_gateway.app import SERVICE
from api_gateway.operator_key import OPERATOR_KEY_FILE
from shared.http_client import HttpClient
from shared.identity.principal import Caller
from shared.ledger.row import Row
from shared.redis_client import Redis
from shared.store import EntryFilter
from shared.transcripts import Transcripts
from shared.valkey import EmbeddedValkey
from tests.support.rows import caller, chained, entry
from tests.support.serve import Running, running
from tests.support.stack import OPERATOR_ROLE, OPERATOR_RULE
from tests.support.wait import eventually

READER = {"id": "readers", "sub": "user:auditor", "dom": "*", "obj": "admin:transcripts", "act": "read"}
KEEPER = {"id": "keepers", "sub": "user:keeper", "dom": "*", "obj": "admin:*", "act": "*"}
POLICY = {"rules": [OPERATOR_RULE, READER, KEEPER], "roles": [OPERATOR_ROLE]}


class Office(Struct, frozen=True):
    """An edge with its operator."""

    edge: Running
    http: HttpClient
    operator: str

    async def ask(
        self, path: str, *, key: str = "", method: str = "GET", body: Any = None
    ) -> tuple[int, Any]:
        headers = [("authorization", f"Bearer {key or self.operator}"), ("content-type", "application/json")]
        sent = b"" if body is None else msgspec.json.encode(body)
        url = f"{self.edge.url}/admin/api{path}"
        async with await self.http.send(method, url, headers=headers, body=sent) as reply:
            return reply.status, msgspec.json.decode(await reply.read(2**20))

    async def key(self, sub: str, tenant: str) -> str:
        status, made = await self.ask("/keys", method="POST", body={"sub": sub, "tenant": tenant})
        assert status == 201, made
        return str(made["secret"])

    async def kept(self, who: Caller, text: str, *, digest: str | None = None) -> str:
        """The id of a call of `who` whose content is there, as the model gateway leaves both."""
        call = entry(who)
        said = [{"role": "user", "parts": [{"text": text}]}]
        content = {"entry": call.id, "chain": who.chain, "redacted": ["pii"], "request": {"messages": said}}
        body = msgspec.json.encode(content | {"reply": {"parts": [{"text": "I see."}], "stop": "end"}})
        call.digest = sha256(body).hexdigest() if digest is None else digest
        await self.edge.app.state.control.store.append(chained([call], writer=f"llm_gateway-{call.id}"))
        transcripts = Transcripts(self.edge.parts.redis)
        transcripts.keep(who, call.id, body, 60)
        await eventually(lambda: transcripts.read(who.principal.tenant, call.id))
        return call.id

    async def looks(self, finding: str) -> list[Row]:
        """The entries of the admin calls that were about this."""

        async def found() -> list[Row]:
            rows = await self.edge.app.state.control.store.entries(EntryFilter(tenant=None))
            return [row for row in rows if finding in row.findings]

        return await eventually(found, f"{finding} in the ledger")


@pytest.fixture
async def office(tmp_path: Path, valkey: EmbeddedValkey, redis: Redis) -> AsyncIterator[Office]:
    async with running(SERVICE, {"policy": POLICY}, tmp_path, redis=valkey.url) as edge:
        file = edge.parts.state_dir / OPERATOR_KEY_FILE
        known = {"keys", "kills", "policy"}
        await eventually(lambda: known <= edge.parts.snapshots.epochs().keys(), "the start")
        await eventually(lambda: file.exists() and file.read_text(), "the operator's key")
        http = HttpClient()
        try:
            yield Office(edge, http, file.read_text().strip())
        finally:
            await http.close()


async def test_a_transcript_is_read_and_vouched_for_and_the_reading_is_an_entry(office: Office) -> None:
    call = await office.kept(caller(), "How are you?")
    status, answer = await office.ask(f"/transcripts/{call}?tenant=acme")
    assert status == 200
    assert (answer["entry"], answer["vouched"]) == (call, True)
    assert answer["content"]["request"]["messages"][0]["parts"] == [{"text": "How are you?"}]
    [look] = await office.looks(f"transcript:{call}")
    assert (look.principal, look.resource, look.action) == ("user:operator", "admin:transcripts", "read")


async def test_what_was_changed_is_not_vouched_for(office: Office) -> None:
    call = await office.kept(caller(), "Never said", digest="0" * 64)
    _, answer = await office.ask(f"/transcripts/{call}?tenant=acme")
    assert answer["vouched"] is False


async def test_a_foreign_tenant_cannot_read_or_erase(office: Office) -> None:
    call = await office.kept(caller(), "A secret of acme's")
    key = await office.key("user:keeper", "globex")
    for method in ("GET", "DELETE"):
        status, answer = await office.ask(f"/transcripts/{call}?tenant=acme", key=key, method=method)
        assert status == 403, answer
        status, _ = await office.ask(f"/transcripts/{call}", key=key, method=method)
        assert status == 404
    everything = "/transcripts?principal=user:alice"
    assert await office.ask(everything, key=key, method="DELETE") == (200, {"erased": 0})
    assert (await office.ask(f"/transcripts/{call}?tenant=acme"))[0] == 200


async def test_reading_is_one_right_and_erasing_another(office: Office) -> None:
    call = await office.kept(caller(), "Hello")
    reader, nobody = await office.key("user:auditor", "acme"), await office.key("user:alice", "acme")
    assert (await office.ask(f"/transcripts/{call}", key=reader))[0] == 200
    assert (await office.ask(f"/transcripts/{call}", key=reader, method="DELETE"))[0] == 403
    assert (await office.ask("/transcripts?principal=user:alice", key=reader, method="DELETE"))[0] == 403
    assert (await office.ask(f"/transcripts/{call}", key=nobody))[0] == 403


async def test_one_is_erased_and_so_is_all_of_a_principal(office: Office) -> None:
    first, second = await office.kept(caller(), "One"), await office.kept(caller(), "Two")
    planned = await office.kept(caller(agents=("agent:planner",)), "Three")
    other = await office.kept(caller("user:bob"), "Four")
    assert await office.ask(f"/transcripts/{first}?tenant=acme", method="DELETE") == (200, {"erased": 1})
    assert (await office.ask(f"/transcripts/{first}?tenant=acme"))[0] == 404
    everything = "/transcripts?tenant=acme&principal=user:alice"
    assert await office.ask(everything, method="DELETE") == (200, {"erased": 2})
    for call, status in ((second, 404), (planned, 404), (other, 200)):
        assert (await office.ask(f"/transcripts/{call}?tenant=acme"))[0] == status
    [erased] = await office.looks("transcript:user:alice")
    assert (erased.resource, erased.action) == ("admin:transcripts", "manage")


async def test_an_operator_of_all_tenants_has_to_say_whose(office: Office) -> None:
    for method, path in (("GET", "/transcripts/x"), ("DELETE", "/transcripts?principal=user:alice")):
        status, answer = await office.ask(path, method=method)
        assert (status, "tenant" in answer["detail"]) == (400, True)
    status, answer = await office.ask("/transcripts?tenant=acme", method="DELETE")
    assert (status, "principal" in answer["detail"]) == (400, True)


async def test_the_command_shows_a_chain_with_what_was_said(
    office: Office, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    who = caller()
    call = await office.kept(who, "How are you?")
    monkeypatch.setenv("GATESTACK_URL", office.edge.url)
    monkeypatch.setenv("GATESTACK_KEY", office.operator)

    async def run(*arguments: str) -> tuple[int, str]:
        code = await asyncio.to_thread(cli.main, list(arguments))
        return code, capsys.readouterr().out

    code, told = await run("chain", who.chain)
    assert (code, "How are you?" in told) == (0, False)
    code, told = await run("chain", who.chain, "--content")
    assert code == 0
    assert f"{call} (as the ledger has it; redacted: pii)" in told
    assert "  user: How are you?\n  reply: I see.\n" in told
    code, told = await run("chain", who.chain, "--content", "--json")
    assert msgspec.json.decode(told)["entries"][0]["transcript"]["entry"] == call
    code, told = await run("transcripts", "show", call, "--tenant", "acme")
    assert "reply: I see." in told
    assert await run("transcripts", "erase", "--principal", "user:alice", "--tenant", "acme") == (
        0,
        "erased 1\n",
    )
    code, told = await run("chain", who.chain, "--content")
    assert (code, f"{call}: nothing is kept" in told) == (0, True)
