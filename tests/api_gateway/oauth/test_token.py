"""What the token endpoint hands out: never more than was handed in, and only while the chain lives."""

from pathlib import Path

import pytest

from shared.identity.principal import ChainBudget
from shared.identity.token import (
    caller_from_delegation,
)
from tests.api_gateway.exchanging import TYPE, TokenGate, token_gate


async def test_a_fresh_token_says_what_the_old_one_said(gate: TokenGate) -> None:
    budget = ChainBudget(tokens=500)
    caller = gate.caller(budget=budget, scope=("model:*",), hop=3, chain="c1")
    old = caller_from_delegation(await gate.claims(gate.token(whole=caller, parent="p1")))
    answer = await gate.ask(gate.token(whole=caller, parent="p1"))
    new = caller_from_delegation(await gate.claims(answer.json["access_token"]))
    assert (new.actors, new.chain, new.budget, new.principal) == (old.actors, "c1", budget, old.principal)
    assert new.hop == old.hop
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["issued_token_type"] == TYPE
    assert answer.json["scope"] == "model:*"
    assert answer.json["expires_in"] == 900
    assert answer.headers["cache-control"] == "no-store"
    row = (await gate.edge.rows(1))[-1]
    assert (row.chain, row.resource, row.outcome, row.decision) == ("c1", "route:oauth", "completed", "allow")


async def test_the_fresh_token_is_taken_by_the_edge(gate: TokenGate) -> None:
    token = (await gate.ask(gate.token())).json["access_token"]
    again = await gate.ask(token)
    assert again.status == 200
    headers = [("authorization", f"Bearer {token}")]
    async with await gate.http.send("GET", f"{gate.edge.url}/nothing", headers=headers) as reply:
        assert reply.status == 404


async def test_a_chain_can_be_kept_going_only_until_its_end(tmp_path: Path) -> None:
    async with token_gate(tmp_path, api_gateway={"oauth": {"longest_seconds": 60}}) as gate:
        first = await gate.ask(gate.token())
        claims = await gate.claims(first.json["access_token"])
        assert first.json["expires_in"] <= 60
        second = await gate.claims((await gate.ask(first.json["access_token"])).json["access_token"])
        assert second["bounds"]["until"] == claims["bounds"]["until"]
        assert second["exp"] <= claims["bounds"]["until"]


async def test_a_killed_chain_gets_no_fresh_token(gate: TokenGate) -> None:
    token = gate.token(chain="doomed")
    assert (await gate.ask(token)).status == 200
    await gate.control.add_kill({"chain": "doomed"}, "enough", "user:operator")
    answer = await gate.ask(token)
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")
    assert "enough" in answer.json["error_description"]
    assert (await gate.ask(gate.token(chain="other"))).status == 200


@pytest.mark.parametrize("selector", [{"agent": "planner"}, {"user": "alice"}, {"tenant": "acme"}], ids=str)
async def test_whoever_is_killed_gets_no_fresh_token(gate: TokenGate, selector: dict[str, str]) -> None:
    await gate.control.add_kill(selector, "", "user:operator")
    assert (await gate.ask(gate.token())).status == 400


async def test_a_chain_without_time_left_gets_no_fresh_token(gate: TokenGate) -> None:
    answer = await gate.ask(gate.token(budget=ChainBudget(seconds=0)))
    assert answer.status == 429
    assert answer.json["error"] == "temporarily_unavailable"
    short = await gate.ask(gate.token(budget=ChainBudget(seconds=40)))
    assert short.json["expires_in"] <= 40


async def test_a_revoked_key_ends_the_chains_that_it_started(gate: TokenGate) -> None:
    await gate.key("user:alice")
    [record] = await gate.control.store.keys("acme")
    token = gate.token(key=record.id)
    assert (await gate.ask(token)).status == 200
    await gate.control.revoke_key(record.id)
    answer = await gate.ask(token)
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


async def test_scope_only_narrows(gate: TokenGate) -> None:
    token = gate.token(scope=("model:*", "tool:git/*"))
    assert (await gate.got(token, scope="model:small tool:git/re*")).principal.scope == (
        "model:small",
        "tool:git/re*",
    )
    for wider in ("*", "tool:*", "model:small agent:x", "tool:git*"):
        answer = await gate.ask(token, scope=wider)
        assert (answer.status, answer.json["error"]) == (400, "invalid_scope")


async def test_an_audience_or_a_resource_narrows_to_what_is_behind_it(gate: TokenGate) -> None:
    assert (await gate.got(gate.token(), audience="llm_gateway")).principal.scope == ("model:*",)
    both = await gate.got(gate.token(), audience=["llm_gateway", "agent_gateway"])
    assert both.principal.scope == ("model:*", "agent:*")
    one = await gate.got(gate.token(), resource=f"{gate.edge.url}/agents/writer")
    assert one.principal.scope == ("agent:writer", "agent:writer/*")
    tools = await gate.got(gate.token(scope=("tool:git/read",)), resource=f"{gate.edge.url}/servers/git/mcp")
    assert tools.principal.scope == ("tool:git/read",)


@pytest.mark.parametrize(
    "fields",
    [
        {"audience": "somebody"},
        {"resource": "https://elsewhere.example/mcp"},
        {"resource": "http://["},
        {"audience": "llm_gateway", "scope": "tool:git/*"},
    ],
    ids=str,
)
async def test_a_target_that_is_not_ours_or_out_of_reach_is_refused(
    gate: TokenGate, fields: dict[str, str]
) -> None:
    answer = await gate.ask(gate.token(), **fields)
    assert (answer.status, answer.json["error"]) == (400, "invalid_target")


async def test_time_depth_and_budget_share_only_narrow(gate: TokenGate) -> None:
    token = gate.token(chain="c1", budget=ChainBudget(tool_calls=10, micros=1000))
    answer = await gate.ask(token, expires_in="30", depth="1", budget_share="0.5")
    assert answer.json["expires_in"] <= 30
    first = caller_from_delegation(await gate.claims(answer.json["access_token"]))
    assert first.bounds.depth == 2
    assert first.bounds.shares[0].split(" ")[1:] == ["micros=500", "tool_calls=5"]
    second = await gate.got(answer.json["access_token"], expires_in="300", depth="4", budget_share="1")
    assert second.bounds.until == first.bounds.until
    assert second.bounds.depth == 2
    assert second.bounds.shares[0] == first.bounds.shares[0]


async def test_an_agent_that_proves_itself_joins_the_chain_where_policy_lets_it(gate: TokenGate) -> None:
    helper = await gate.key("agent:helper", scope=("model:*",))
    found = await gate.got(gate.token(chain="c1"), actor_token=helper, actor_token_type=TYPE)
    row = (await gate.edge.rows(1))[-1]
    assert found.actors == ("user:alice", "agent:planner", "agent:helper")
    assert found.chain == "c1"
    assert found.principal.scope == ("model:*",)
    assert found.parent == row.id
    by_header = await gate.got(gate.token(), header=f"Bearer {helper}")
    assert by_header.actor == "agent:helper"


async def test_client_credentials_prove_an_actor_too(gate: TokenGate) -> None:
    helper = await gate.key("agent:helper")
    found = await gate.got(gate.token(), client_id="helper", client_secret=helper)
    assert found.actor == "agent:helper"


async def test_an_agents_own_key_beside_its_own_token_changes_nothing(gate: TokenGate) -> None:
    planner = await gate.key("agent:planner")
    found = await gate.got(gate.token(), actor_token=planner)
    assert found.actors == ("user:alice", "agent:planner")


async def test_one_refusal_anywhere_in_the_chain_keeps_an_agent_out(gate: TokenGate) -> None:
    helper, other = await gate.key("agent:helper"), await gate.key("agent:other")
    for token, actor in (
        (gate.token("user:alice", "agent:sly"), helper),
        (gate.token(), other),
        (gate.token(scope=("model:*",)), helper),
    ):
        answer = await gate.ask(token, actor_token=actor)
        assert (answer.status, answer.json["error"]) == (400, "invalid_request")
