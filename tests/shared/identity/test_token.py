"""Claims and callers: what goes in comes out, and what no caller can be is refused whoever signed it."""

from typing import Any

import msgspec
import pytest

from shared.errors import DelegationRefused, Unauthenticated
from shared.identity.principal import Bounds, Caller, ChainBudget
from shared.identity.token import (
    Claims,
    caller_from_delegation,
    caller_from_identity,
    delegation_claims,
    identity_claims,
)
from tests.shared.identity import forge
from tests.support.clock import FakeClock

CLOCK = FakeClock()


def identity(caller: Caller | None = None, **changed: Any) -> Claims:
    return forge.identity(CLOCK, caller, **changed)


def delegation(caller: Caller | None = None, **changed: Any) -> Claims:
    claims = delegation_claims(
        caller or forge.alice("agent:planner", "agent:researcher"),
        issuer="agent_gateway",
        entry_id="f" * 26,
        trace=forge.TRACE,
        ttl=900,
        clock=CLOCK,
    )
    return {name: value for name, value in (claims | changed).items() if value is not None}


def test_a_caller_arrives_as_it_left_one_service_further() -> None:
    sent = forge.alice("agent:planner")
    got = caller_from_identity(identity(sent))
    assert got.principal == sent.principal
    assert (got.actors, got.chain, got.key, got.budget) == (sent.actors, sent.chain, sent.key, sent.budget)
    assert (got.credential, got.hop, got.parent, got.trace) == (
        "identity",
        sent.hop + 1,
        "f" * 26,
        forge.TRACE,
    )


def test_a_delegated_caller_comes_back_with_its_whole_chain() -> None:
    sent = forge.alice("agent:planner", "agent:researcher")
    got = caller_from_delegation(delegation(sent))
    assert got.principal == sent.principal
    assert (got.actors, got.chain, got.key, got.budget) == (sent.actors, sent.chain, sent.key, sent.budget)
    assert (got.credential, got.hop, got.parent, got.actor) == ("delegation", 3, "f" * 26, "agent:researcher")


def test_given_roles_and_a_keys_own_limits_travel_with_the_caller() -> None:
    sent = forge.alice("agent:planner")
    principal = msgspec.structs.replace(sent.principal, roles=("auditor", "staff"))
    bounds = Bounds(limits=("requests/day=5",))
    sent = msgspec.structs.replace(sent, principal=principal, bounds=bounds)
    for got in (caller_from_identity(identity(sent)), caller_from_delegation(delegation(sent))):
        assert (got.principal.roles, got.bounds.limits) == (("auditor", "staff"), ("requests/day=5",))


def test_a_delegation_keeps_its_id_until_it_is_handed_on() -> None:
    first = caller_from_delegation(delegation(forge.alice("agent:planner")))
    again = caller_from_delegation(delegation(first))
    below = caller_from_delegation(delegation(first.through("agent:researcher", max_depth=5)))
    [planner] = first.bounds.delegations
    assert again.bounds.delegations == (planner,)
    assert below.bounds.delegations[0] == planner
    assert len(set(below.bounds.delegations)) == 2
    too_many = {"bounds": {"delegations": ["a", "b", "c"]}}
    with pytest.raises(Unauthenticated, match="further"):
        caller_from_delegation(delegation(forge.alice("agent:planner"), **too_many))


def test_the_claims_are_those_of_the_design() -> None:
    claims = identity(forge.alice("agent:planner", "agent:researcher"))
    assert claims.keys() == {
        *("iss", "aud", "sub", "tenant", "team", "project", "tier", "scope", "act", "chain", "txn", "hop"),
        *("parent", "budget", "iat", "exp", "jti", "key", "trace"),
    }
    assert claims["act"] == {"sub": "agent:researcher", "act": {"sub": "agent:planner"}}
    assert claims["budget"] == {"micros": 500, "tool_calls": 3}
    assert claims["exp"] - claims["iat"] == 60


def test_a_direct_call_has_no_act() -> None:
    assert "act" not in identity()


def test_a_caller_without_a_trace_or_a_budget_arrives() -> None:
    caller = forge.alice(budget=ChainBudget())
    claims = identity_claims(caller, issuer="i", audience="a", entry_id="", trace=None, clock=CLOCK)
    got = caller_from_identity(claims)
    assert (got.trace, got.budget, got.parent) == (None, ChainBudget(), "")


def test_lifetimes_are_capped() -> None:
    long = identity_claims(
        forge.alice(), issuer="i", audience="a", entry_id="", trace=None, ttl=9999, clock=CLOCK
    )
    assert long["exp"] - long["iat"] == 120
    long = delegation_claims(
        forge.alice("agent:planner"), issuer="i", entry_id="", trace=None, ttl=99_999, clock=CLOCK
    )
    assert long["exp"] - long["iat"] == 86_400
    with pytest.raises(Unauthenticated, match="longer than the 120"):
        caller_from_identity(identity(exp=int(CLOCK.now()) + 121))
    with pytest.raises(Unauthenticated, match="longer than the 86400"):
        caller_from_delegation(delegation(exp=int(CLOCK.now()) + 86_401))


def test_nothing_is_handed_on_once_the_time_of_a_delegation_is_over() -> None:
    over = msgspec.structs.replace(forge.alice("agent:planner"), bounds=Bounds(until=int(CLOCK.now())))
    with pytest.raises(DelegationRefused, match="time"):
        delegation(over)


@pytest.mark.parametrize("bounds", [{"until": int(CLOCK.now()) + 59}, {"depth": 1}], ids=str)
def test_a_token_that_reaches_further_than_its_bounds_is_refused(bounds: dict[str, int]) -> None:
    kept = {"until": int(CLOCK.now()) + 60, "depth": 2}
    for read in (caller_from_delegation, caller_from_identity):
        read(delegation(exp=int(CLOCK.now()) + 60, bounds=kept))
        with pytest.raises(Unauthenticated, match="further than its bounds"):
            read(delegation(exp=int(CLOCK.now()) + 60, bounds=kept | bounds))


def test_every_token_has_its_own_id() -> None:
    assert identity()["jti"] != identity()["jti"]


def test_nobody_is_delegated_to_by_nobody() -> None:
    with pytest.raises(ValueError, match="not delegated"):
        delegation(forge.alice())
    with pytest.raises(Unauthenticated, match="nobody who was delegated to"):
        caller_from_delegation(identity())


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"chain": ["agent:planner", "agent:researcher"]}, "start with sub"),
        ({"chain": ["user:bob", "agent:planner", "agent:researcher"]}, "start with sub"),
        ({"chain": ["agent:planner", "user:alice", "agent:researcher"]}, "start with sub"),
        ({"chain": []}, "start with sub"),
        ({"sub": "user:bob"}, "start with sub"),
        ({"sub": ""}, "empty"),
        ({"tenant": ""}, "empty"),
        ({"txn": ""}, "empty"),
        ({"chain": ["user:alice", "agent:planner", "agent:planner"]}, "twice"),
        ({"chain": ["user:alice", "agent:planner", "user:alice"]}, "twice"),
        ({"chain": ["user:alice", "", "agent:researcher"]}, "nobody"),
        ({"chain": ["user:alice", "agent:researcher"]}, "act"),
        ({"chain": ["user:alice"]}, "act"),
        ({"act": {"sub": "agent:planner", "act": {"sub": "agent:researcher"}}}, "act"),
        ({"act": {"sub": "agent:researcher"}}, "act"),
        ({"act": {"sub": "agent:researcher", "act": {"sub": "agent:planner"}, "scope": "x"}}, "act"),
        ({"act": "agent:researcher"}, "act"),
        ({"act": None}, "act"),
        ({"hop": 0}, "below"),
        ({"hop": -1}, "below"),
        ({"budget": {"micros": -1}}, "below"),
        ({"budget": {"micros": 1.5}}, "int"),
        ({"budget": {"micros": "5"}}, "int"),
        ({"budget": {"micros": True}}, "int"),
        ({"budget": {"euros": 5}}, "unknown field"),
        ({"budget": []}, "object"),
        ({"bounds": {"places": ["eu"]}}, "unknown field"),
        ({"trace": "nonsense"}, "trace"),
        ({"trace": "00-" + "0" * 32 + "-" + "1" * 16 + "-01"}, "trace"),
    ],
    ids=str,
)
def test_a_chain_and_a_budget_that_cannot_be_are_refused(changed: Claims, why: str) -> None:
    for read in (caller_from_delegation, caller_from_identity):
        claims = {**delegation(exp=int(CLOCK.now()) + 60), **changed}
        claims = {name: value for name, value in claims.items() if value is not None}
        with pytest.raises(Unauthenticated, match=why):
            read(claims)


DEEP: Any = []
for _ in range(3000):
    DEEP = [DEEP]
NAMES = [
    "iss",
    "sub",
    "tenant",
    "team",
    "project",
    "tier",
    "scope",
    "act",
    "chain",
    "txn",
    "hop",
    "parent",
    "key",
]
OTHERS = ["trace", "budget", "iat", "exp"]
ODD = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "x",
    "\0",
    [],
    [1],
    [None],
    {},
    {"a": 1},
    {"sub": 1},
    [["user:alice"]],
    DEEP,
]


@pytest.mark.parametrize("name", NAMES + OTHERS)
def test_claims_of_the_wrong_type_are_refused_and_never_break_anything(name: str) -> None:
    for good, read in ((identity(), caller_from_identity), (delegation(), caller_from_delegation)):
        for odd in ODD:
            try:
                caller = read({**good, name: odd})
            except Unauthenticated:
                continue
            assert isinstance(odd, (str, int, list, dict)) or (name == "act" and odd is None)
            assert caller.actors[0] == caller.principal.sub


@pytest.mark.parametrize("name", [name for name in NAMES + OTHERS if name != "act"])
def test_a_missing_claim_is_refused(name: str) -> None:
    with pytest.raises(Unauthenticated):
        caller_from_identity(identity(**{name: None}))
    with pytest.raises(Unauthenticated):
        caller_from_delegation(delegation(**{name: None}))


def test_claims_that_are_not_ours_are_refused() -> None:
    with pytest.raises(Unauthenticated):
        caller_from_identity({})
