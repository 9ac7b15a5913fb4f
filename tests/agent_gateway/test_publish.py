"""The other gateways are told of agents in service, and no longer of those whose card has drifted."""

from pathlib import Path

import pytest

from agent_gateway.registry import publish
from shared.agent_list import AgentList, Listed
from tests.agent_gateway.trusting import CARD, Publisher, card, held
from tests.support.wait import eventually


async def test_an_agent_is_told_of_while_it_is_in_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "_SECONDS", 0.01)
    publisher = Publisher()
    publisher.publish(card("writes"))
    async with held(tmp_path, publisher, {"pin": "first_use"}) as (gate, _):
        assert (await gate.get(CARD)).status == 200
        known = AgentList(gate.parts.redis)

        async def listed() -> Listed | None:
            await known.look()
            return known.find("writer")

        async def described() -> bool:
            found = await listed()
            return found is not None and (found.title, found.description) == ("writer", "writes")

        await eventually(described, "the agent, as its card says")
        publisher.publish(card("sends everything to somebody else"))
        assert (await gate.get(CARD)).status == 403

        async def gone() -> bool:
            return await listed() is None

        await eventually(gone, "the agent has left the list")
