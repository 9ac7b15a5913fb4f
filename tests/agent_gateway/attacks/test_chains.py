"""What an agent tries with the chain that it is part of: to replay, forge or widen it, to go round in it, and
to have a more powerful one do what it may not.
"""

from pathlib import Path
from typing import Any

import pytest

from shared.identity.token import delegation_claims
from shared.ledger.entry import new_id
from tests.agent_gateway.delegating import _back, _claims
from tests.agent_gateway.gateway import Gateway, gateway, message, request
from tests.support.agents import Echo, Patient, RunningAgent, agent
from tests.support.clock import FakeClock
from tests.support.serve import someone

ALICE_AND = ("user:alice", "agent:intern")


async def _bearer(gate: Gateway, running: RunningAgent, **caller: Any) -> str:
    """What the agent `writer` was handed with a call."""
    assert (await gate.call("writer", "SendMessage", message(), someone(**caller))).code == 0
    return running.calls()[-1].bearer


async def test_a_token_ends_with_its_chain(tmp_path: Path) -> None:
    async with (
        agent(Echo()) as writer,
        agent(Echo()) as reader,
        gateway(tmp_path, writer=writer, reader=reader) as gate,
    ):
        bearer = await _bearer(gate, writer, chain="c1")
        assert (await _back(gate, "reader", bearer)).code == 0
        await gate.edge.kill(gate.parts, chain="c1")
        answer = await _back(gate, "reader", bearer)
        assert answer.json["error"]["data"][0]["reason"] == "KILLED"
        assert len(reader.calls()) == 1


async def test_a_token_is_over_when_its_time_is(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        earlier = FakeClock(gate.parts.clock.now() - 3600)
        who = someone("user:alice", "agent:reader")
        claims = delegation_claims(
            who, issuer="agent_gateway", entry_id=new_id(), trace=None, ttl=60, clock=earlier
        )
        old = gate.parts.signer.sign(claims, typ="delegation+jwt")
        assert (await _back(gate, "writer", old)).status == 401
        assert writer.heard == []


async def test_a_token_is_no_identity_and_an_identity_no_token(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        bearer = await _bearer(gate, writer)
        body = request("SendMessage", message())
        as_identity = await gate.post("writer", body, headers={"txn-token": bearer})
        assert as_identity.status == 401
        assert (await _back(gate, "writer", gate.token())).status == 401
        assert len(writer.calls()) == 1


async def test_a_chains_id_and_its_actors_are_what_is_signed_and_nothing_that_is_said(
    tmp_path: Path,
) -> None:
    forged = {
        "x-gatestack-chain": "forged",
        "x-gatestack-actors": "user:root",
        "baggage": "chain=forged,user=root",
        "traceparent": f"00-{'f' * 32}-{'e' * 16}-01",
    }
    said = {"chain": "forged", "txn": "forged", "act": {"sub": "user:root"}, "traceparent": "forged"}
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        params = message(metadata=said) | {"metadata": said}
        caller = someone(chain="c1")
        answer = await gate.post("writer", request("SendMessage", params), caller=caller, headers=forged)
        assert answer.headers["x-gatestack-chain"] == "c1"
        row = await gate.row(chain="c1", actors=("user:alice",), principal="user:alice")
        claims = await _claims(gate, writer.calls()[0].bearer)
        assert (claims["txn"], claims["chain"]) == ("c1", ["user:alice", "agent:writer"])
        assert claims["parent"] == row.id
        heard = writer.calls()[0].headers
        assert not {"x-gatestack-chain", "x-gatestack-actors", "baggage"} & set(heard)
        assert "f" * 32 not in heard["traceparent"]


async def test_a_powerful_agent_does_nothing_for_one_that_may_not(tmp_path: Path) -> None:
    """`boss` may ask `payroll`, `intern` may not; for the intern the boss may not either."""
    rules = [
        {"sub": "user:alice", "dom": "*", "obj": "agent:*", "act": "*"},
        {"sub": "agent:boss", "dom": "*", "obj": "agent:payroll", "act": "*"},
        {"sub": "agent:intern", "dom": "*", "obj": "agent:boss", "act": "*"},
    ]
    async with (
        agent(Echo()) as boss,
        agent(Patient()) as payroll,
        gateway(tmp_path, boss=boss, payroll=payroll, rules=rules) as gate,
    ):
        directly = someone("user:alice", "agent:boss")
        sent = message() | {"configuration": {"returnImmediately": True}}
        started = await gate.call("payroll", "SendMessage", sent, directly)
        task = started.json["result"]["task"]["id"]
        assert (await gate.call("boss", "SendMessage", message(), someone(*ALICE_AND))).code == 0
        claims = await _claims(gate, boss.calls()[-1].bearer)
        assert claims["chain"] == [*ALICE_AND, "agent:boss"]
        asked = len(payroll.heard)
        # As the edge passes on what the boss does with the bearer that it was handed.
        deputy = someone(*claims["chain"])
        for method, params in (("SendMessage", message()), ("GetTask", {"id": task}), ("ListTasks", {})):
            answer = await gate.call("payroll", method, params, deputy)
            assert answer.code == -32000
            assert answer.message.startswith("agent:intern (one of the chain")
        assert len(payroll.heard) == asked


@pytest.mark.parametrize(
    "spelt",
    [
        "http://127.0.0.1:{port}//",
        "http://127.0.0.1:{port}/./x/..",
        "http://127.0.0.1:{port}/%2e/",
        "http://localhost:{port}/",
        "http://LOCALHOST.:{port}",
        "http://127.1:{port}/",
        "http://2130706433:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
    ],
)
async def test_an_agent_of_the_chain_is_known_however_its_address_is_spelt(
    tmp_path: Path, spelt: str
) -> None:
    async with agent(Echo()) as writer:
        port = writer.url.rstrip("/").rpartition(":")[2]
        alias = RunningAgent(spelt.format(port=port), writer.card_url, writer.heard)
        async with gateway(tmp_path, writer=writer, alias=alias) as gate:
            answer = await gate.call("alias", "SendMessage", message(), someone("user:alice", "agent:writer"))
            assert "is agent:writer under another name" in answer.message
            assert writer.heard == []


async def test_neither_a_skill_nor_a_fallback_leads_back_into_the_chain(tmp_path: Path) -> None:
    async with agent(Echo()) as gone:
        pass
    async with agent(Echo()) as writer:
        settings = {"pool": {"url": "", "replicas": [{"url": gone.url}], "fallback": "writer"}}
        async with gateway(tmp_path, writer=writer, pool=gone, settings=settings) as gate:
            caller = someone("user:alice", "agent:writer")
            found = await gate.post(
                "", request("SendMessage", message()), caller=caller, path="/agents/-/skill/talk"
            )
            assert "already part of this chain" in found.message
            for _ in range(2):  # the first notices that the pool is down
                answer = await gate.call("pool", "SendMessage", message(), caller)
                assert answer.code != 0
            assert "already part of this chain" in answer.message
            assert writer.calls() == []
