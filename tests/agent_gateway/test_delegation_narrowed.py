"""What an agent can do with the token it is handed: call back for the chain's user, in the chain, and
never more."""

from base64 import urlsafe_b64decode
from pathlib import Path

import msgspec
import pytest

from shared.identity import jws
from shared.identity.principal import ChainBudget
from shared.identity.token import caller_from_delegation
from tests.agent_gateway.delegating import _back, _claims
from tests.agent_gateway.gateway import ALL, gateway, message, request
from tests.support.agents import Echo, agent
from tests.support.serve import someone


async def test_what_an_agent_is_labelled_with_taints_the_chain_for_the_next_decision(tmp_path: Path) -> None:
    rules = [
        *ALL,
        {
            "sub": "*",
            "dom": "*",
            "obj": "agent:mailer",
            "act": "invoke",
            "eft": "deny",
            "cond": '"reads:private" in taint',
        },
    ]
    settings = {"vault": {"labels": ["reads:private"]}}
    async with (
        agent(Echo()) as one,
        gateway(tmp_path, vault=one, mailer=one, rules=rules, settings=settings) as gate,
    ):
        clean, tainted = someone(chain="clean"), someone(chain="tainted")
        assert (await gate.call("vault", "SendMessage", message(), tainted)).code == 0
        assert (await gate.call("mailer", "SendMessage", message(), tainted)).code == -32000
        assert (await gate.call("mailer", "SendMessage", message(), clean)).code == 0


async def test_a_chains_budget_ends_it_whichever_agent_asks(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        budget = ChainBudget(agent_calls=2)
        for actors in (("user:alice",), ("user:alice", "agent:planner")):
            caller = someone(*actors, chain="c1", budget=budget)
            assert (await gate.call("writer", "SendMessage", message(), caller)).code == 0
        answer = await gate.call("writer", "SendMessage", message(), someone(chain="c1", budget=budget))
        assert answer.status == 429
        assert "agent" in answer.message
        await gate.row(outcome="refused", reason="budget")
        assert len(writer.calls()) == 2


async def test_a_delegation_token_is_of_no_use_where_only_the_edge_is_believed(tmp_path: Path) -> None:
    async with (
        agent(Echo()) as writer,
        gateway(tmp_path, writer=writer, section={"accept": ["identity"]}) as gate,
    ):
        await gate.call("writer", "SendMessage", message())
        bearer = writer.calls()[0].bearer
        assert (await _back(gate, "writer", bearer)).status == 401
        as_identity = await gate.post(
            "writer", request("SendMessage", message()), headers={"txn-token": bearer}
        )
        assert as_identity.status == 401


async def test_an_agent_is_handed_what_its_configuration_leaves_of_the_chain(tmp_path: Path) -> None:
    settings = {
        "writer": {"delegation": {"scope": ["model:*", "tool:git/*"], "budget_share": 0.25, "seconds": 60}}
    }
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, settings=settings) as gate:
        caller = someone(scope=("agent:*", "tool:*"), budget=ChainBudget(micros=1000, tool_calls=8))
        await gate.call("writer", "SendMessage", message(), caller)
        claims = await _claims(gate, writer.calls()[0].bearer)
        found = caller_from_delegation(claims)
    assert found.principal.scope == ("tool:git/*",)
    assert found.budget == caller.budget
    assert [share.split(" ")[1:] for share in found.bounds.shares] == [["micros=250", "tool_calls=2"]]
    assert claims["exp"] - claims["iat"] <= 60
    assert found.bounds.until == claims["exp"]


async def test_an_agent_with_nothing_in_common_with_the_callers_scope_can_do_nothing(tmp_path: Path) -> None:
    settings = {"writer": {"delegation": {"scope": ["model:*"]}}}
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, settings=settings) as gate:
        await gate.call("writer", "SendMessage", message(), someone(scope=("agent:*",)))
        found = caller_from_delegation(await _claims(gate, writer.calls()[0].bearer))
        assert found.principal.scope == ("none:",)
        assert (await _back(gate, "writer", writer.calls()[0].bearer)).code == -32000


async def test_a_share_of_the_budget_ends_its_branch_and_not_the_chain(tmp_path: Path) -> None:
    settings = {"planner": {"delegation": {"budget_share": 0.5}}}
    async with (
        agent(Echo()) as writer,
        agent(Echo()) as planner,
        gateway(tmp_path, writer=writer, planner=planner, settings=settings) as gate,
    ):
        caller = someone(chain="c1", budget=ChainBudget(agent_calls=6))
        assert (await gate.call("planner", "SendMessage", message(), caller)).code == 0
        bearer = planner.calls()[0].bearer
        # Of the six one is the planner's own; nothing had been used when the share was measured.
        answers = [await _back(gate, "writer", bearer) for _ in range(4)]
        assert [answer.code for answer in answers[:3]] == [0, 0, 0]
        assert answers[3].status == 429
        assert "share" in answers[3].message
        assert (await gate.call("writer", "SendMessage", message(), caller)).code == 0


async def test_an_agent_of_which_one_replica_is_in_the_chain_is_in_the_chain(tmp_path: Path) -> None:
    async with agent(Echo()) as one, agent(Echo()) as two:
        settings = {"pool": {"url": "", "replicas": [{"url": one.url}, {"url": two.url}]}}
        async with gateway(tmp_path, pool=one, alias=two, settings=settings) as gate:
            through = await gate.call("alias", "SendMessage", message(), someone("user:alice", "agent:pool"))
            assert "under another name" in through.message
            back = await gate.call("pool", "SendMessage", message(), someone("user:alice", "agent:alias"))
            assert "under another name" in back.message


@pytest.mark.parametrize("changed", ["chain", "actors", "scope"])
async def test_a_token_that_an_agent_has_changed_is_none(tmp_path: Path, changed: str) -> None:
    async with (
        agent(Echo()) as writer,
        agent(Echo()) as other,
        gateway(tmp_path, writer=writer, other=other) as gate,
    ):
        await gate.call("writer", "SendMessage", message(), someone(chain="c1", scope=("agent:writer",)))
        header, payload, signature = writer.calls()[0].bearer.split(".")
        claims = msgspec.json.decode(urlsafe_b64decode(payload + "=="))
        claims |= {
            "chain": {"txn": "c2"},
            "actors": {"chain": ["user:alice"], "act": None},
            "scope": {"scope": []},
        }[changed]
        forged = jws.encoded(msgspec.json.encode(claims)).decode()
        answer = await _back(gate, "other", f"{header}.{forged}.{signature}")
        assert answer.status == 401
        assert other.calls() == []
