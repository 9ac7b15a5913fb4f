"""What an agent can do with the token it is handed: call back for the chain's user, in the chain, and
never more."""

from pathlib import Path

import pytest

from shared.identity.principal import ChainBudget
from shared.identity.token import caller_from_delegation
from tests.agent_gateway.delegating import _back, _claims
from tests.agent_gateway.gateway import ALL, Gateway, gateway, message, request
from tests.support.agents import CallingBack, Echo, RunningAgent, agent
from tests.support.serve import someone


async def test_the_token_names_the_user_the_way_so_far_and_where_calls_hang_below(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        budget = ChainBudget(tokens=500, agent_calls=3)
        caller = someone(
            "user:alice",
            "agent:planner",
            chain="c1",
            key="k1",
            budget=budget,
            scope=("agent:*", "model:small"),
        )
        await gate.call("writer", "SendMessage", message(), caller)
        [heard] = writer.calls()
        claims = await _claims(gate, heard.bearer)
        found = caller_from_delegation(claims)
        row = await gate.row(actors=("user:alice", "agent:planner"))
    assert claims["iss"] == "agent_gateway"
    assert claims["act"] == {"sub": "agent:writer", "act": {"sub": "agent:planner"}}
    assert found.actors == ("user:alice", "agent:planner", "agent:writer")
    assert found.principal == caller.principal
    assert (found.chain, found.key, found.budget) == ("c1", "k1", budget)
    assert (found.parent, found.hop) == (row.id, row.hop + 1)
    assert found.trace is not None
    assert (found.trace.trace_id, found.trace.span_id) == (row.trace_id, row.span_id)
    assert claims["exp"] - claims["iat"] == gate.parts.shared.identity.delegation_seconds


async def test_an_agent_that_shall_not_call_back_gets_no_token(tmp_path: Path) -> None:
    settings = {"writer": {"credential": "none", "headers": {"Authorization": "${THEIR_KEY}"}}}
    async with (
        agent(Echo()) as writer,
        gateway(tmp_path, writer=writer, settings=settings, environ={"THEIR_KEY": "Bearer theirs"}) as gate,
    ):
        await gate.call("writer", "SendMessage", message())
        assert [heard.headers["authorization"] for heard in writer.calls()] == ["Bearer theirs"]


async def test_the_callers_own_credential_and_identity_never_reach_the_agent(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        token = gate.token()
        await gate.post("writer", request("SendMessage", message()), headers={"txn-token": token})
        [heard] = writer.calls()
        assert token not in str(heard.headers)
        assert heard.bearer.count(".") == 2


async def test_what_an_agent_starts_hangs_below_the_call_that_it_was_given(tmp_path: Path) -> None:
    gates: list[Gateway] = []

    async def ask_writer(bearer: str, text: str) -> str:
        return str(
            (await _back(gates[0], "writer", bearer, text)).json["result"]["message"]["parts"][0]["text"]
        )

    async with (
        agent(Echo()) as writer,
        agent(CallingBack(ask_writer)) as planner,
        gateway(tmp_path, writer=writer, planner=planner) as gate,
    ):
        gates.append(gate)
        answer = await gate.call("planner", "SendMessage", message("deep"), someone(chain="c1"))
        assert answer.json["result"]["message"]["parts"][0]["text"] == "echo: deep"
        inner, outer = await gate.service.rows(2)
    assert (outer.agent, inner.agent) == ("planner", "writer")
    assert (outer.chain, inner.chain) == ("c1", "c1")
    assert inner.parent == outer.id
    assert inner.actors == ("user:alice", "agent:planner")
    assert inner.credential == "delegation"
    assert inner.trace_id == outer.trace_id


@pytest.mark.parametrize(
    "actors",
    [("user:alice", "agent:writer"), ("agent:writer",), ("user:alice", "agent:writer", "agent:planner")],
)
async def test_an_agent_that_is_in_the_chain_already_is_refused(
    tmp_path: Path, actors: tuple[str, ...]
) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        answer = await gate.call("writer", "SendMessage", message(), someone(*actors))
        assert answer.code == -32000
        assert answer.json["error"]["data"][0]["reason"] == "DELEGATION"
        assert "agent:writer is already part of this chain" in answer.message
        assert writer.heard == []
        await gate.row(outcome="refused", reason="delegation", decision="deny", actors=actors)


async def test_another_name_for_an_agent_of_the_chain_is_seen_through(tmp_path: Path) -> None:
    async with agent(Echo()) as writer:
        alias = RunningAgent(writer.url.rstrip("/"), writer.card_url, writer.heard)
        by_card = {"other": {"url": "", "card_url": writer.card_url}}
        async with gateway(tmp_path, writer=writer, alias=alias, other=writer, settings=by_card) as gate:
            for name in ("alias", "other"):
                caller = someone("user:alice", "agent:writer")
                answer = await gate.call(name, "SendMessage", message(), caller)
                assert "is agent:writer under another name" in answer.message
            own_key = await gate.call("alias", "SendMessage", message(), someone("agent:writer"))
            assert "under another name" in own_key.message
            hidden = await gate.call("writer", "SendMessage", message(), someone("user:alice", "agent:other"))
            assert "is agent:other under another name" in hidden.message
            assert writer.calls() == []
            assert (await gate.call("alias", "SendMessage", message())).code == 0


async def test_the_same_address_with_another_tenant_is_another_agent(tmp_path: Path) -> None:
    async with agent(Echo()) as writer:
        settings = {"second": {"tenant": "second"}}
        async with gateway(tmp_path, writer=writer, second=writer, settings=settings) as gate:
            caller = someone("user:alice", "agent:writer")
            assert (await gate.call("second", "SendMessage", message(), caller)).code == 0


async def test_a_chain_may_be_five_delegations_deep_and_no_deeper(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        four = someone("user:alice", *(f"agent:a{n}" for n in range(4)))
        assert (await gate.call("writer", "SendMessage", message(), four)).code == 0
        five = someone("user:alice", *(f"agent:a{n}" for n in range(5)))
        answer = await gate.call("writer", "SendMessage", message(), five)
        assert "5 delegations deep and the limit is 5" in answer.message
        assert len(writer.calls()) == 1


async def test_every_principal_of_the_chain_must_be_allowed(tmp_path: Path) -> None:
    rules = [
        {"sub": "user:alice", "dom": "*", "obj": "agent:*", "act": "*"},
        {"sub": "agent:planner", "dom": "*", "obj": "agent:researcher", "act": "invoke"},
        {"sub": "agent:researcher", "dom": "*", "obj": "agent:*", "act": "*"},
    ]
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, rules=rules) as gate:
        assert (await gate.call("writer", "SendMessage", message(), someone("user:alice"))).code == 0
        for actors in (("agent:planner",), ("agent:planner", "agent:researcher")):
            answer = await gate.call("writer", "SendMessage", message(), someone("user:alice", *actors))
            assert answer.json["error"]["data"][0]["reason"] == "FORBIDDEN"
            assert answer.message.startswith("agent:planner ")
            row = await gate.row(outcome="refused", reason="forbidden", decision="deny")
            assert row.actors == ("user:alice", *actors)
        assert len(writer.calls()) == 1


async def test_a_rule_may_look_at_the_chain_the_agent_and_the_skill(tmp_path: Path) -> None:
    rules = [
        *ALL,
        {
            "sub": "*",
            "dom": "*",
            "obj": "agent:*",
            "act": "invoke",
            "eft": "deny",
            "cond": 'skill == "refund" and depth > 0 and agent == "writer" and "money" in labels',
        },
    ]
    settings = {"writer": {"labels": ["money"]}}
    refund = message(metadata={"skill": "refund"})
    async with (
        agent(Echo()) as writer,
        gateway(tmp_path, writer=writer, rules=rules, settings=settings) as gate,
    ):
        assert (await gate.call("writer", "SendMessage", refund)).code == 0
        await gate.row(skill="refund")
        deep = someone("user:alice", "agent:planner")
        assert (await gate.call("writer", "SendMessage", refund, deep)).code == -32000
        assert (await gate.call("writer", "SendMessage", message(), deep)).code == 0
