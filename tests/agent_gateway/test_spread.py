"""How far a chain may spread: how many calls its agents make, how often one of them is told the same, and
what limits count by the pair of agents.
"""

import asyncio
from pathlib import Path
from typing import Any

from shared.identity.principal import Caller
from tests.agent_gateway.delegating import _back
from tests.agent_gateway.gateway import Answer, Gateway, gateway, message
from tests.support.agents import CallingBack, Echo, agent
from tests.support.serve import someone


async def _send(gate: Gateway, name: str, text: str, caller: Caller, **fields: Any) -> Answer:
    return await gate.call(name, "SendMessage", message(text, **fields), caller)


def planner(chain: str = "c1", agent: str = "agent:planner") -> Caller:
    return someone("user:alice", agent, chain=chain)


async def test_one_agent_of_a_chain_makes_so_many_calls_and_no_more(tmp_path: Path) -> None:
    chain = {"chain": {"max_children": 3}}
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, shared=chain) as gate:
        answers = await asyncio.gather(*(_send(gate, "writer", str(n), planner()) for n in range(8)))
        assert sorted(answer.status for answer in answers) == [200] * 3 + [429] * 5
        refused = next(answer for answer in answers if answer.status == 429)
        assert "calls of agents that one agent may make (max_children)" in refused.message
        for other in (planner(agent="agent:editor"), planner(chain="c2")):
            assert (await _send(gate, "writer", "hi", other)).status == 200
        # Asking after a task is no call of an agent.
        assert (await gate.call("writer", "GetTask", {"id": "none"}, planner())).status == 200
    assert len(writer.calls()) == 5


async def test_the_same_message_goes_to_the_same_agent_so_often_and_no_more(tmp_path: Path) -> None:
    chain = {"chain": {"max_repeats": 2}}
    async with (
        agent(Echo()) as writer,
        gateway(tmp_path, writer=writer, editor=writer, shared=chain) as gate,
    ):
        # Another hop of the chain does not make it another message, and neither do new ids.
        assert (await _send(gate, "writer", "again", planner())).status == 200
        assert (await _send(gate, "writer", "again", planner(agent="agent:reader"))).status == 200
        refused = await _send(gate, "writer", "again", planner(), metadata={"try": 3})
        assert refused.status == 429
        assert "times the same message goes to one agent (max_repeats)" in refused.message
        assert (await _send(gate, "writer", "something else", planner())).status == 200
        assert (await _send(gate, "editor", "again", planner())).status == 200
        assert (await _send(gate, "writer", "again", planner(chain="c2"))).status == 200
        await gate.row(outcome="completed")


async def test_whoever_begins_a_chain_may_repeat_itself(tmp_path: Path) -> None:
    chain = {"chain": {"max_repeats": 1, "max_children": 1}}
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, shared=chain) as gate:
        caller = someone(chain="c1")
        for _ in range(3):
            assert (await _send(gate, "writer", "hi", caller)).status == 200


async def test_a_limit_counts_by_the_pair_of_agents(tmp_path: Path) -> None:
    limits = [{"name": "pair", "per": "pair", "unit": "agent_calls", "amount": 1, "window": "day"}]
    async with (
        agent(Echo()) as writer,
        gateway(tmp_path, writer=writer, editor=writer, section={"limits": limits}) as gate,
    ):
        assert (await _send(gate, "writer", "1", planner())).status == 200
        assert (await _send(gate, "writer", "2", planner(chain="c2"))).status == 429
        assert (await _send(gate, "editor", "3", planner())).status == 200
        assert (await _send(gate, "writer", "4", planner(agent="agent:reader"))).status == 200
        for number in range(2):
            assert (await _send(gate, "writer", str(number), someone())).status == 200


async def test_a_limit_can_be_for_one_caller_at_one_agent(tmp_path: Path) -> None:
    match = {"caller": "agent:planner", "agent": "writer"}
    limits = [
        {"name": "p", "per": "tenant", "unit": "agent_calls", "amount": 0, "window": "day", "match": match}
    ]
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, section={"limits": limits}) as gate:
        assert (await _send(gate, "writer", "1", planner())).status == 429
        assert (await _send(gate, "writer", "1", planner(agent="agent:reader"))).status == 200


async def test_an_agent_that_calls_on_and_on_is_stopped(tmp_path: Path) -> None:
    """The token that it was handed is for its chain, and the chain counts."""
    gates: list[Gateway] = []

    async def act(bearer: str, text: str) -> str:
        answers = [await _back(gates[0], "writer", bearer, text) for _ in range(6)]
        return ",".join(str(answer.status) for answer in answers)

    async with (
        agent(Echo()) as writer,
        agent(CallingBack(act)) as looper,
        gateway(tmp_path, writer=writer, looper=looper, shared={"chain": {"max_repeats": 4}}) as gate,
    ):
        gates.append(gate)
        answer = await _send(gate, "looper", "go", someone())
    assert "200,200,200,200,429,429" in answer.body.decode()
    assert len(writer.calls()) == 4
