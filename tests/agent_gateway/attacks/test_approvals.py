"""A call that tells the person who is asked about it that it is another one."""

import asyncio
from pathlib import Path

import msgspec

from tests.agent_gateway.gateway import gateway, message
from tests.support.agents import Parts, agent
from tests.support.approving import asks, decide, waiting
from tests.support.serve import someone


async def test_no_parameter_stands_in_for_the_method_in_what_a_person_is_shown(tmp_path: Path) -> None:
    async with agent(Parts()) as writer, gateway(tmp_path, writer=writer) as gate:
        await asks(gate.edge, gate.parts, "agent:writer")
        sent = message() | {"method": "GetTask", "params": {"id": "harmless"}}
        call = asyncio.create_task(gate.call("writer", "SendMessage", sent, someone()))
        shown = msgspec.json.decode((await waiting(gate.parts)).approval.preview)
        await decide(gate.parts, "denied")
        await call
    assert shown["method"] == "SendMessage"
