"""What the token endpoint hands out: never more than was handed in, and only while the chain lives."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway.oauth.exchange import Wanted, exchanged
from shared.errors import BadRequest, DelegationRefused
from shared.identity import narrow
from shared.identity.principal import Bounds, Caller, Principal
from shared.identity.token import (
    caller_from_delegation,
    caller_from_identity,
    delegation_claims,
    identity_claims,
)
from shared.policy.scope import in_scope
from tests.api_gateway.exchanging import (
    _LONGEST,
    _NAMES,
    _PATTERNS,
    _START,
    _STEPS,
    RULES,
    TokenGate,
    _forged,
    _never_wider,
    _Stopped,
    token_gate,
)
from tests.support.serve import someone


async def test_an_agent_cannot_join_twice_or_too_deep(gate: TokenGate) -> None:
    helper = await gate.key("agent:helper")
    twice = await gate.ask(gate.token("user:alice", "agent:helper", "agent:planner"), actor_token=helper)
    assert "already part of this chain" in twice.json["error_description"]
    deep = await gate.ask(gate.token(bounds=Bounds(depth=1)), actor_token=helper)
    assert "deep" in deep.json["error_description"]


async def test_an_actor_of_another_tenant_is_refused(gate: TokenGate) -> None:
    foreign = await gate.key("agent:helper", tenant="other")
    answer = await gate.ask(gate.token(), actor_token=foreign)
    assert answer.status == 400
    assert "tenants" in answer.json["error_description"]


async def test_what_an_agent_was_given_for_one_user_proves_nothing_for_another(gate: TokenGate) -> None:
    for_bob = gate.token("user:bob", "agent:helper")
    answer = await gate.ask(gate.token(), actor_token=for_bob)
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")


async def test_a_user_may_name_an_agent_only_where_policy_lets_them_vouch(gate: TokenGate) -> None:
    alice, bob = await gate.key("user:alice"), await gate.key("user:bob")
    found = await gate.got(alice, requested_actor="agent:planner")
    assert found.actors == ("user:alice", "agent:planner")
    assert found.key != ""
    for key, actor in ((bob, "agent:planner"), (alice, "agent:helper"), (alice, "user:bob")):
        assert (await gate.ask(key, requested_actor=actor)).status == 400
    # An agent cannot pass for another one by minting itself a token.
    assert (await gate.ask(gate.token(), requested_actor="agent:helper")).status == 400
    alone = await gate.ask(alice)
    assert "names nobody" in alone.json["error_description"]


async def test_nobody_joins_a_chain_past_a_person_who_would_have_to_consent(tmp_path: Path) -> None:
    asking = [
        {"sub": "user:alice", "dom": "acme", "obj": "agent:planner", "act": "vouch"},
        {"sub": "agent:helper", "dom": "acme", "obj": "route:oauth", "act": "invoke"},
    ]
    async with token_gate(tmp_path, policy={"rules": RULES, "approvals": asking}) as gate:
        vouched = await gate.ask(await gate.key("user:alice"), requested_actor="agent:planner")
        joined = await gate.ask(gate.token(), actor_token=await gate.key("agent:helper"))
        alone = await gate.ask(gate.token())
    assert (vouched.status, joined.status, alone.status) == (400, 400, 200)
    for refused in (vouched, joined):
        assert "a person's approval" in refused.json["error_description"]


@pytest.mark.parametrize(
    "forged",
    ["audience", "type", "issuer", "signature", "chain", "expired", "garbage", "unknown key"],
)
async def test_what_is_no_delegation_token_for_us_buys_nothing(gate: TokenGate, forged: str) -> None:
    answer = await gate.ask(_forged(gate, forged))
    assert answer.status == 400
    assert answer.json["error"] == "invalid_request"


async def test_the_form_is_read_strictly(gate: TokenGate) -> None:
    token = gate.token()
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"subject_token_type": "urn:x"}, "invalid_request"),
        ({"subject_token_type": ""}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
        ({"expires_in": "0"}, "invalid_request"),
        ({"expires_in": "-5"}, "invalid_request"),
        ({"budget_share": "2"}, "invalid_request"),
        ({"budget_share": "nan"}, "invalid_request"),
        ({"depth": "x"}, "invalid_request"),
        ({"scope": ["a", "b"]}, "invalid_request"),
    ]
    for fields, error in wrong:
        answer = await gate.ask(token, **fields)
        assert (answer.status, answer.json["error"]) == (400, error), fields
    two = await gate.ask(token, header=f"Bearer {await gate.key('agent:helper')}", actor_token="gsk_x")
    assert two.status == 400
    assert (await gate.ask(token, header="Basic ???")).json["error"] == "invalid_client"


async def test_an_agent_with_a_key_of_its_own_starts_a_chain_and_the_ledger_says_so(gate: TokenGate) -> None:
    secret = await gate.key("agent:planner")
    async with await gate.http.send(
        "GET", f"{gate.edge.url}/nothing", headers=[("authorization", f"Bearer {secret}")]
    ) as reply:
        assert reply.status == 404
    row = (await gate.edge.rows(1))[-1]
    assert row.actors == ("agent:planner",)
    assert row.findings == ("own_chain:agent:planner called with a key of its own",)


@settings(max_examples=150, deadline=None)
@given(steps=_STEPS, scope=st.lists(_PATTERNS, max_size=2).map(tuple), waits=st.lists(st.integers(0, 900)))
def test_no_sequence_of_exchanges_widens_anything(
    steps: list[tuple[Wanted, str]], scope: tuple[str, ...], waits: list[int]
) -> None:
    principal = Principal(sub="user:alice", tenant="acme", scope=scope)
    first = Caller(principal=principal, actors=("user:alice", "agent:a"), chain="c1", credential="delegation")
    caller, now = first, _START
    for place, (wanted, joins) in enumerate(steps):
        now += waits[place] if place < len(waits) else 1
        try:
            onward = caller.through(joins, max_depth=5) if joins else caller
            onward = exchanged(onward, wanted, now, _LONGEST)
            claims = delegation_claims(
                onward,
                issuer="i",
                entry_id="",
                trace=None,
                ttl=900,
                clock=_Stopped(now),  # type: ignore[arg-type]
            )
        except (BadRequest, DelegationRefused):
            continue
        onward = caller_from_delegation(claims)
        _never_wider(caller, onward)
        assert onward.bounds.until <= (caller.bounds.until or now + _LONGEST)
        assert claims["exp"] <= onward.bounds.until
        caller = onward


@given(one=st.lists(_PATTERNS, max_size=3).map(tuple), other=st.lists(_PATTERNS, max_size=3).map(tuple))
def test_two_scopes_together_cover_what_both_cover(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    both = narrow.meet(one, other)
    for name in _NAMES:
        assert in_scope(both, name) == (in_scope(one, name) and in_scope(other, name))
    assert narrow.within(one, both) or both == narrow.NOTHING


def test_bounds_travel_in_identity_tokens_too() -> None:
    bounds = Bounds(until=_START + 50, depth=2, shares=("x micros=5",))
    caller = msgspec.structs.replace(someone(), bounds=bounds)
    claims = identity_claims(
        caller,
        issuer="i",
        audience="a",
        entry_id="",
        trace=None,
        ttl=60,
        clock=_Stopped(_START),  # type: ignore[arg-type]
    )
    assert claims["exp"] == _START + 50
    assert caller_from_identity(claims).bounds == bounds
