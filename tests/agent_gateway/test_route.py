"""Where a call goes: by name, and by skill to an agent that the caller may use; and with whose credential."""

from pathlib import Path

import pytest

from tests.agent_gateway.gateway import EDGE_URL, gateway, message, request
from tests.support.agents import Echo, agent
from tests.support.serve import someone

BY_SKILL = "/agents/-/skill/talk"


async def test_a_skill_finds_an_agent_that_the_caller_may_use(tmp_path: Path) -> None:
    rules = [
        {"sub": "user:alice", "dom": "acme", "obj": "agent:writer", "act": "invoke"},
        {"sub": "user:bob", "dom": "acme", "obj": "agent:reader", "act": "invoke"},
    ]
    async with (
        agent(Echo()) as writer,
        agent(Echo()) as reader,
        gateway(tmp_path, writer=writer, reader=reader, rules=rules) as gate,
    ):
        call = request("SendMessage", message())
        assert (await gate.post("", call, path=BY_SKILL)).code == 0
        await gate.row(agent="writer", resource="agent:writer")
        assert (await gate.post("", call, path=BY_SKILL, caller=someone("user:bob"))).code == 0
        await gate.row(agent="reader")
        nobody = await gate.post("", call, path=BY_SKILL, caller=someone("user:carol"))
        assert nobody.status == 404
        assert (len(writer.calls()), len(reader.calls())) == (1, 1)


async def test_the_same_caller_comes_to_the_same_agent(tmp_path: Path) -> None:
    async with (
        agent(Echo()) as one,
        agent(Echo()) as two,
        agent(Echo()) as three,
        gateway(tmp_path, one=one, two=two, three=three) as gate,
    ):
        for _ in range(5):
            assert (await gate.post("", request("SendMessage", message()), path=BY_SKILL)).code == 0
        assert sorted(len(each.calls()) for each in (one, two, three)) == [0, 0, 5]
        for number in range(12):
            caller = someone(f"user:u{number}")
            await gate.post("", request("SendMessage", message()), path=BY_SKILL, caller=caller)
        assert all(each.calls() for each in (one, two, three))


async def test_a_card_by_skill_names_the_agent_itself(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        found = await gate.get(f"{BY_SKILL}/.well-known/agent-card.json")
        assert found.status == 200
        assert found.json["supportedInterfaces"][0]["url"] == f"{EDGE_URL}/agents/writer"


async def test_a_tag_narrows_the_choice(tmp_path: Path) -> None:
    settings = {"writer": {"tags": ["eu"]}}
    async with (
        agent(Echo()) as writer,
        agent(Echo()) as reader,
        gateway(tmp_path, writer=writer, reader=reader, settings=settings) as gate,
    ):
        for number in range(6):
            caller = someone(f"user:u{number}")
            answer = await gate.post(
                "", request("SendMessage", message()), path=f"{BY_SKILL}?tag=eu", caller=caller
            )
            assert answer.code == 0
        assert reader.calls() == []


@pytest.mark.parametrize("path", ["/agents/-/skill/walk", "/agents/-/skill/", "/agents/-", "/agents/-/x/y"])
async def test_a_skill_that_nobody_has_is_not_found(tmp_path: Path, path: str) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        assert (await gate.post("", request("SendMessage", message()), path=path)).status == 404
        assert writer.calls() == []


async def test_an_agent_that_is_in_the_chain_is_refused_by_skill_too(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        caller = someone("user:alice", "agent:writer")
        answer = await gate.post("", request("SendMessage", message()), path=BY_SKILL, caller=caller)
        assert "already part of this chain" in answer.message
