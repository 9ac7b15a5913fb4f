"""The extended card is the agent's own, leads to the gateway, and shows each caller what it may use."""

from pathlib import Path

import msgspec
import pytest
from a2a.types import GetExtendedAgentCardRequest

from agent_gateway.call import Wire
from shared.agents import trusted_keys
from shared.card_trust import trusted
from tests.agent_gateway.gateway import EDGE_URL, gateway, request
from tests.agent_gateway.test_matrix import WIRES, every_pair, spoken
from tests.support.agents import Echo, agent, card_of
from tests.support.serve import someone

SKILLS = ("talk", "refund", "delete")
RULES = [
    {"sub": "user:alice", "dom": "*", "obj": "agent:*", "act": "*"},
    {"sub": "*", "dom": "*", "obj": "agent:writer", "act": "*"},
    {"sub": "*", "dom": "*", "obj": "agent:writer/skill/refund", "act": "*", "eft": "deny"},
    {"sub": "user:bob", "dom": "*", "obj": "agent:writer/skill/delete", "act": "*", "eft": "deny"},
]


@every_pair
async def test_every_client_gets_it_from_every_agent(tmp_path: Path, ours: Wire, theirs: Wire) -> None:
    extended = card_of("writer, extended", "http://10.0.0.7/", skills=SKILLS)
    extended.capabilities.extended_agent_card = True
    async with (
        agent(Echo(), extended=_served(extended, theirs)) as writer,
        gateway(tmp_path, writer=writer, settings={"writer": spoken(writer, theirs)}) as gate,
        gate.client("writer", wire=ours) as client,
    ):
        card = await client.get_extended_agent_card(GetExtendedAgentCardRequest())
        assert card.name == "writer, extended"
        assert [skill.id for skill in card.skills] == list(SKILLS)
        assert {one.url for one in card.supported_interfaces} == {f"{EDGE_URL}/agents/writer"}
        assert "10.0.0.7" not in str(card)


def _served(card, theirs: Wire):  # type: ignore[no-untyped-def]
    """An agent that is asked in 0.3 has an interface of 0.3."""
    card.supported_interfaces[0].protocol_version = theirs.rpartition("/")[2]
    return card


@pytest.mark.parametrize("wire", [wire for wire in WIRES if wire.startswith("JSONRPC")])
async def test_skills_that_a_caller_may_not_use_are_not_shown(tmp_path: Path, wire: Wire) -> None:
    extended = card_of("writer", "http://10.0.0.7/", skills=SKILLS)
    async with (
        agent(Echo(), extended=extended) as writer,
        gateway(tmp_path, rules=RULES, writer=writer) as gate,
        gate.client("writer", someone("user:bob"), wire=wire) as client,
    ):
        card = await client.get_extended_agent_card(GetExtendedAgentCardRequest())
        assert [skill.id for skill in card.skills] == ["talk"]


async def test_an_agent_without_one_says_so(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        assert (await gate.call("writer", "GetExtendedAgentCard", {})).code == -32007


@pytest.mark.parametrize("method", ["GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard"])
async def test_it_is_signed_by_the_gateway(tmp_path: Path, method: str) -> None:
    extended = card_of("writer", "http://10.0.0.7/", skills=SKILLS)
    async with agent(Echo(), extended=extended) as writer, gateway(tmp_path, writer=writer) as gate:
        version = "0.3" if "/" in method else "1.0"
        got = await gate.post("writer", request(method, {}), headers={"a2a-version": version})
        keys = msgspec.json.decode(gate.parts.signer.jwks())["keys"]
        assert trusted(got.json["result"], trusted_keys(tuple(keys))).signed
