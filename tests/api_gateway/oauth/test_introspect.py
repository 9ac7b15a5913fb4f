"""What the edge says about a key or a token, and to whom (RFC 7662)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.api_gateway.exchanging import RULES, Answer, TokenGate, token_gate
from tests.support.identity_provider import AUDIENCE, IdentityProvider, provider

ASKS = {"sub": "service:billing", "dom": "*", "obj": "route:oauth", "act": "introspect"}


@pytest.fixture
async def idp() -> AsyncIterator[IdentityProvider]:
    async with provider() as idp:
        yield idp


@pytest.fixture
async def gate(tmp_path: Path, idp: IdentityProvider) -> AsyncIterator[TokenGate]:
    issuer = {
        "issuer": idp.url,
        "audiences": [AUDIENCE],
        "principals": [{"sub": "user:{email}", "tenant": {"claim": "org"}}],
    }
    async with token_gate(tmp_path, issuers=[issuer], policy={"rules": [*RULES, ASKS]}) as gate:
        yield gate


async def told(gate: TokenGate, token: str, *, secret: str = "") -> dict[str, Any]:
    secret = secret or await gate.key("service:billing")
    answer = await introspect(gate, token, secret)
    assert answer.status == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


async def introspect(gate: TokenGate, token: str, secret: str) -> Answer:
    return await gate.post("/oauth/introspect", header=f"Bearer {secret}" if secret else "", token=token)


async def test_a_key_is_described_by_whom_it_stands_for_and_until_when(gate: TokenGate) -> None:
    expires = 4_000_000_000
    key = await gate.key("user:alice", team="ops", scope=("model:*",), expires_at=expires * 1_000_000)
    found = await told(gate, key)
    assert found.pop("key")
    assert found.pop("iat")
    assert found == {
        "active": True,
        "token_type": "Bearer",
        "sub": "user:alice",
        "client_id": "user:alice",
        "scope": "model:*",
        "tenant": "acme",
        "team": "ops",
        "credential": "key",
        "exp": expires,
    }


async def test_a_delegation_names_its_actors_as_rfc_8693_nests_them(gate: TokenGate) -> None:
    token = gate.token("user:alice", "agent:planner", "agent:helper", chain="c1")
    found = await told(gate, token)
    assert (found["active"], found["sub"], found["client_id"]) == (True, "user:alice", "agent:helper")
    assert found["act"] == {"sub": "agent:helper", "act": {"sub": "agent:planner"}}
    assert (found["txn"], found["chain"]) == ("c1", ["user:alice", "agent:planner", "agent:helper"])
    assert found["exp"] - found["iat"] == 600


async def test_a_token_of_an_identity_provider_is_described_as_it_is_mapped(
    gate: TokenGate, idp: IdentityProvider
) -> None:
    found = await told(gate, idp.token())
    assert (found["active"], found["sub"], found["iss"]) == (True, "user:alice@example.com", idp.url)
    assert found["issuer_sub"] == "248289761001"


async def test_what_is_no_good_is_not_active_and_nothing_more_is_said(
    gate: TokenGate, idp: IdentityProvider
) -> None:
    revoked, killed, foreign = (
        await gate.key("user:bob"),
        await gate.key("user:carol"),
        await gate.key("user:dave", tenant="globex"),
    )
    mine = await told(gate, revoked)
    await gate.control.revoke_key(mine["key"])
    await gate.control.add_kill({"user": "carol"}, "a test", "user:operator")
    for token in (
        revoked,
        killed,
        foreign,
        gate.token(ttl=-60),
        gate.token(tenant="globex"),
        idp.token(aud="other"),
        "gsk_nobody",
        "a.b.c",
        "?",
    ):
        assert await told(gate, token) == {"active": False}


async def test_an_operator_may_ask_about_every_tenant(gate: TokenGate) -> None:
    secret = await gate.key("service:billing", tenant="system")
    assert (await told(gate, await gate.key("user:alice"), secret=secret))["tenant"] == "acme"


@pytest.mark.parametrize("who", ["", "gsk_nobody", "not allowed"])
async def test_nobody_is_told_anything_who_may_not_ask(gate: TokenGate, who: str) -> None:
    token = await gate.key("user:alice")
    secret = await gate.key("user:alice") if who == "not allowed" else who
    answer = await introspect(gate, token, secret)
    expected = (400, "invalid_request") if who == "not allowed" else (401, "invalid_client")
    assert (answer.status, answer.json["error"]) == expected


async def test_who_guesses_at_the_token_endpoints_waits_as_well(gate: TokenGate) -> None:
    found = [(await introspect(gate, "x", f"gsk_wrong{n}")).status for n in range(15)]
    found += [(await gate.ask(f"gsk_wrong{n}")).status for n in range(10)]
    assert found == [401] * 15 + [400] * 5 + [429] * 5


async def test_a_provider_that_is_away_is_not_a_token_that_is_over(
    gate: TokenGate, idp: IdentityProvider
) -> None:
    idp.down = 500
    answer = await introspect(gate, idp.token(), await gate.key("service:billing"))
    assert answer.status == 503


async def test_whom_a_providers_token_names_can_be_given_a_delegation_by_an_agent(
    gate: TokenGate, idp: IdentityProvider
) -> None:
    helper = await gate.key("agent:helper")
    caller = await gate.got(idp.token(), actor_token=helper)
    assert (caller.actors, caller.principal.tenant) == (("user:alice@example.com", "agent:helper"), "acme")
    assert (await gate.ask(idp.token(aud="other"), actor_token=helper)).status == 400


async def test_nothing_of_a_secret_is_in_the_ledger(gate: TokenGate) -> None:
    key = await gate.key("user:alice")
    await told(gate, key)
    rows = [msgspec.json.encode(row) for row in await gate.edge.rows(1)]
    assert rows
    assert not any(key.encode() in row for row in rows)
