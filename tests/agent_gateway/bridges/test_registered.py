"""A bridge that was registered while the stack runs: for its tenant, and at public addresses only."""

from pathlib import Path
from typing import Any

from shared.agents import AgentRecord
from shared.bridges import ChatBridge
from tests.agent_gateway.gateway import Gateway, gateway, message
from tests.support.providers import ScriptedProvider, completion
from tests.support.serve import someone


async def register(gate: Gateway, url: str, **more: Any) -> None:
    bridge = ChatBridge(model="verse", url=url)
    record = AgentRecord(name="poet", bridge=bridge, credential="none", **more)
    await gate.edge.publish(gate.parts, "agents", [record])


async def test_it_answers_its_tenant_and_nobody_else(tmp_path: Path) -> None:
    section = {"registry": {"allow": ["127.0.0.1/32"]}}
    async with ScriptedProvider() as provider, gateway(tmp_path, section=section) as gate:
        provider.will(completion("ok"))
        await register(gate, provider.base_url, tenant="acme")
        answer = await gate.call("poet", "SendMessage", message())
        assert answer.json["result"]["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
        foreign = await gate.call("poet", "SendMessage", message(), someone("user:eve", tenant="globex"))
        assert "no agent is called poet" in foreign.message
        assert len(provider.calls) == 1


async def test_an_address_inside_is_not_called(tmp_path: Path) -> None:
    async with ScriptedProvider() as provider, gateway(tmp_path) as gate:
        await register(gate, provider.base_url)
        assert (await gate.call("poet", "SendMessage", message())).code < 0
        assert provider.calls == []
