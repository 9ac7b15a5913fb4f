"""Tokens for trying: made by operators for a short time, on record, used like those that agents get."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.ledger.row import Row
from shared.ledger.row import opened as opened_row
from tests.api_gateway.office import Office, opened
from tests.support.serve import Edge, someone
from tests.support.wait import eventually

RULES = [
    {"id": "admins", "sub": "user:admin", "dom": "acme", "obj": "admin:*", "act": "*"},
    {"id": "alice", "sub": "user:alice", "dom": "acme", "obj": "admin:spend", "act": "read"},
    {"id": "planner", "sub": "agent:planner", "dom": "acme", "obj": "admin:spend", "act": "read"},
]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with opened(tmp_path, {"rules": RULES}) as office:
        yield office


def wanted(**more: Any) -> dict[str, Any]:
    return {"sub": "user:alice", "tenant": "acme", "via": ["agent:planner"], **more}


async def test_a_delegation_token_acts_for_its_chain_and_no_further(office: Office) -> None:
    made = await office.ask("POST", "/tokens", wanted())
    assert (made.status, made.body["header"]) == (201, "authorization"), made.body
    assert made.body["claims"]["chain"] == ["user:alice", "agent:planner"]
    token = made.body["token"]
    assert (await office.ask("GET", "/spend", key=token)).status == 200
    refused = await office.ask("GET", "/keys", key=token)
    assert (refused.status, "user:alice" in refused.body["detail"]) == (403, True)


async def test_an_identity_token_is_for_one_gateway_and_not_for_the_edge(office: Office) -> None:
    body = wanted(kind="identity", audience="llm_gateway", via=[], seconds=30)
    made = (await office.ask("POST", "/tokens", body)).body
    assert (made["claims"]["aud"], made["typ"], made["header"]) == ("llm_gateway", "txn+jwt", "txn-token")
    assert made["claims"]["exp"] - made["claims"]["iat"] == 30
    assert (await office.ask("GET", "/spend", key=made["token"])).status == 401


async def test_who_asked_for_a_token_for_whom_is_on_record(office: Office) -> None:
    await office.ask("POST", "/tokens", wanted())

    async def kept() -> list[Row]:
        rows = [
            opened_row(row.body)
            for writer in await office.store.writers()
            async for row in office.store.rows(writer)
        ]
        return [row for row in rows if "token:delegation:agent:planner" in row.findings]

    [row] = await eventually(kept, "the token in the ledger")
    assert (row.principal, row.resource) == ("user:operator", "admin:tokens")
    assert row.detail == "user:alice -> agent:planner in acme for 60 s"


async def test_only_operators_of_the_whole_stack_get_one(office: Office) -> None:
    key = await office.key("user:admin", "acme")
    assert (await office.ask("POST", "/tokens", wanted(), key=key)).status == 403
    made = (await office.ask("POST", "/tokens", wanted())).body["token"]
    assert (await office.ask("POST", "/tokens/decode", {"token": made}, key=key)).status == 403


@pytest.mark.parametrize(
    "body",
    [
        wanted(tenant="system", sub="user:root"),
        wanted(tenant=""),
        wanted(sub="alice"),
        wanted(sub="user:*"),
        wanted(via=["agent:planner", "agent:planner"]),
        wanted(via=[f"agent:a{n}" for n in range(9)]),
        wanted(via=[]),
        wanted(seconds=0),
        wanted(seconds=3601),
        wanted(kind="identity", audience="api_gateway"),
        wanted(kind="identity", audience="llm_gateway", seconds=121),
    ],
)
async def test_a_token_that_nobody_should_have_is_refused_in_words(
    office: Office, body: dict[str, Any]
) -> None:
    answer = await office.ask("POST", "/tokens", body)
    assert answer.status == 400, answer.body


async def test_any_token_is_shown_with_whether_it_is_believed(office: Office, tmp_path: Path) -> None:
    token = (await office.ask("POST", "/tokens", wanted())).body["token"]
    shown = (await office.ask("POST", "/tokens/decode", {"token": token})).body
    assert (shown["signed"], shown["valid"], shown["problems"]) == (True, True, [])
    forged = Edge(tmp_path / "other").token(someone(), audience="llm_gateway")
    shown = (await office.ask("POST", "/tokens/decode", {"token": forged})).body
    assert (shown["signed"], shown["valid"], shown["claims"]["sub"]) == (False, False, "user:alice")
    old = office.edge.parts.signer.sign({"iat": 1, "exp": 2, "sub": "user:x"}, typ="txn+jwt")
    shown = (await office.ask("POST", "/tokens/decode", {"token": old})).body
    assert (shown["signed"], shown["problems"]) == (True, ["it has expired"])
    assert (await office.ask("POST", "/tokens/decode", {"token": "gsk_x"})).status == 400


async def test_the_command_line_makes_and_shows_tokens(office: Office) -> None:
    args = ("user:alice", "--tenant", "acme", "--via", "agent:planner")
    made = await office.say("token", *args)
    assert (made.code, "valid until" in made.out) == (0, True), made.err
    quiet = (await office.say("token", *args, "--quiet")).out.strip()
    shown = await office.say("token", "--decode", quiet)
    assert (shown.code, "signed by a key of its issuer" in shown.out) == (0, True)
    changed = quiet[:-4] + ("AAAA" if not quiet.endswith("AAAA") else "BBBB")
    assert (await office.say("token", "--decode", changed)).code == 1
    assert (await office.say("token")).code == 2
    assert (await office.say("token", "user:alice", "--tenant", "acme")).code == 2
