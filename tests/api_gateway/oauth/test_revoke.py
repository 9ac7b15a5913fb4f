"""Keys and delegations that are given back: what ends with them, and what does not (RFC 7009)."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from api_gateway.oauth.revoke import REASON
from shared.identity.principal import Caller
from shared.identity.token import DELEGATION, caller_from_delegation, delegation_claims
from shared.kill import Kill
from shared.ledger.entry import new_id
from tests.api_gateway.exchanging import RULES, Answer, TokenGate, token_gate

REVOKES = [
    {"sub": "*", "dom": "acme", "obj": "route:oauth", "act": "revoke"},
    {"sub": "user:admin", "dom": "acme", "obj": "admin:*", "act": "manage"},
]


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[TokenGate]:
    async with token_gate(tmp_path, policy={"rules": [*RULES, *REVOKES]}) as gate:
        yield gate


async def revoke(gate: TokenGate, token: str, secret: str) -> Answer:
    return await gate.post("/oauth/revoke", header=f"Bearer {secret}", token=token)


async def good(gate: TokenGate, token: str) -> bool:
    """Whether `token` still gets its agent anything: here, a fresh one."""
    status = (await gate.ask(token)).status
    assert status in (200, 400)
    return status == 200


async def handed_on(gate: TokenGate, token: str, agent: str) -> str:
    """What agent_gateway gives `agent` when the bearer of `token` calls it."""
    caller = caller_from_delegation(await gate.claims(token)).through(agent, max_depth=5)
    return signed(gate, caller)


def signed(gate: TokenGate, caller: Caller) -> str:
    claims = delegation_claims(caller, issuer="agent_gateway", entry_id=new_id(), trace=None, ttl=600)
    return gate.agents.sign(claims, typ=DELEGATION)


async def test_an_agent_gives_back_its_delegation_and_all_that_hangs_on_it(gate: TokenGate) -> None:
    token = gate.token("user:alice", "agent:planner")
    fresh = (await gate.ask(token)).json["access_token"]
    below = await handed_on(gate, token, "agent:helper")
    other = gate.token("user:alice", "agent:planner")
    assert [await good(gate, one) for one in (token, fresh, below, other)] == [True] * 4
    assert (await revoke(gate, below, below)).status == 200
    assert [await good(gate, one) for one in (token, fresh, below, other)] == [True, True, False, True]
    assert (await revoke(gate, token, token)).status == 200
    assert [await good(gate, one) for one in (token, fresh, below, other)] == [False, False, False, True]


async def test_a_key_ends_for_whoever_holds_it_and_for_nobody_else(gate: TokenGate) -> None:
    alice, bob = await gate.key("user:alice"), await gate.key("user:bob")
    answer = await revoke(gate, alice, bob)
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")
    assert (await revoke(gate, alice, alice)).status == 200
    [after] = [key for key in await gate.control.store.keys("acme") if key.sub == "user:alice"]
    assert after.revoked_at
    assert (await revoke(gate, bob, alice)).status == 401


async def test_an_administrator_of_the_tenant_ends_both_and_one_of_another_nothing(gate: TokenGate) -> None:
    key, token = await gate.key("user:alice"), gate.token("user:alice", "agent:planner")
    stranger = await gate.key("user:admin", tenant="globex")
    assert (await revoke(gate, key, stranger)).status == 400
    admin = await gate.key("user:admin")
    assert (await revoke(gate, token, admin)).status == 200
    assert not await good(gate, token)
    assert (await revoke(gate, key, admin)).status == 200
    assert (await revoke(gate, "gsk_x", key)).status == 401


async def test_an_administrator_who_needs_consent_to_end_something_ends_nothing_here(tmp_path: Path) -> None:
    asking = [{"sub": "user:admin", "dom": "acme", "obj": "admin:*", "act": "manage"}]
    async with token_gate(tmp_path, policy={"rules": [*RULES, *REVOKES], "approvals": asking}) as gate:
        key, token = await gate.key("user:alice"), gate.token("user:alice", "agent:planner")
        admin = await gate.key("user:admin")
        for one in (key, token):
            answer = await revoke(gate, one, admin)
            assert (answer.status, "a person's approval" in answer.json["error_description"]) == (400, True)
        assert await good(gate, token)


async def test_whose_name_a_delegation_is_in_may_take_it_back(gate: TokenGate) -> None:
    token = gate.token("user:alice", "agent:planner", "agent:helper")
    assert (await revoke(gate, token, await gate.key("user:bob"))).status == 400
    assert (await revoke(gate, token, await gate.key("agent:planner"))).status == 400
    assert await good(gate, token)
    assert (await revoke(gate, token, await gate.key("user:alice"))).status == 200
    assert not await good(gate, token)


async def test_a_narrowed_key_ends_itself_and_nothing_else_of_its_owner(gate: TokenGate) -> None:
    narrow = await gate.key("user:alice", scope=("model:*",))
    whole, token = await gate.key("user:alice"), gate.token("user:alice", "agent:planner")
    assert [(await revoke(gate, one, narrow)).status for one in (whole, token)] == [400, 400]
    assert await good(gate, token)
    assert (await revoke(gate, narrow, narrow)).status == 200
    assert (await revoke(gate, whole, narrow)).status == 401


async def test_what_is_no_good_is_revoked_already(gate: TokenGate) -> None:
    key = await gate.key("user:alice")
    for token in ("gsk_nobody", "?", gate.token(ttl=-60), gate.token(tenant="globex")):
        answer = await revoke(gate, token, key)
        assert (answer.status, answer.json) == (200, {})
    assert await gate.control.store.kills() == []


async def test_who_may_not_revoke_does_not(gate: TokenGate) -> None:
    key = await gate.key("user:eve", tenant="initech")
    assert (await revoke(gate, key, key)).status == 400
    assert (await gate.post("/oauth/revoke", token=key)).status == 401
    assert not any(kept.revoked_at for kept in await gate.control.store.keys("initech"))


async def test_a_call_that_is_open_at_another_service_ends_with_its_delegation(gate: TokenGate) -> None:
    token = gate.token("user:alice", "agent:planner")
    [delegation] = (await gate.claims(token))["bounds"]["delegations"]
    await revoke(gate, token, token)
    [kill] = await gate.control.store.kills()
    # Every service obeys this list, and cuts what is open: tests/shared/test_kill.py.
    assert (kill.selector, kill.reason, kill.by) == (
        {"tenant": "acme", "delegation": delegation},
        REASON,
        "agent:planner",
    )


async def test_revoked_twice_is_one_kill_and_what_is_long_over_is_taken_off(gate: TokenGate) -> None:
    old = Kill(id=new_id(), selector={"delegation": "d1"}, reason=REASON, by="agent:x", at=1)
    kept = msgspec.structs.replace(old, id=new_id(), reason="an operator's own")
    for kill in (old, kept):
        await gate.control.store.add_kill(kill)
    admin, token = await gate.key("user:admin"), gate.token()
    for _ in range(2):
        assert (await revoke(gate, token, admin)).status == 200
    found = [kill.reason for kill in await gate.control.store.kills()]
    assert sorted(found) == ["an operator's own", REASON]
