"""What is registered while the gateway runs: found by whoever may use it, and never more than it says."""

from pathlib import Path
from typing import Any

import pytest

from shared.agents import AgentRecord
from tests.agent_gateway.gateway import ALL, Gateway, gateway, message
from tests.support.agents import Echo, RunningAgent, agent
from tests.support.serve import someone
from tests.support.wait import eventually

LOCAL = {"registry": {"allow": ["127.0.0.1"]}}


def record(name: str, running: RunningAgent, **more: Any) -> AgentRecord:
    return AgentRecord(name=name, card_url=running.card_url, **more)


async def _names(gate: Gateway, query: str = "", **caller: Any) -> list[str]:
    answer = await gate.get(f"/agents{query}", someone(**caller))
    return [item["name"] for item in answer.json["agents"]]


async def test_a_registered_agent_is_taken_over_live_and_goes_again(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, section=LOCAL) as gate:
        assert await _names(gate) == []
        await gate.edge.publish(gate.parts, "agents", [record("writer", writer, owner="team:docs")])
        answer = await gate.get("/agents")
        [listed] = answer.json["agents"]
        assert (listed["name"], listed["owner"], listed["state"]) == ("writer", "team:docs", "active")
        assert listed["skills"][0]["id"] == "talk"
        async with gate.client("writer") as client:
            assert client is not None
        assert (await gate.call("writer", "SendMessage", message())).code == 0
        assert writer.calls()[0].bearer.count(".") == 2
        await gate.edge.publish(gate.parts, "agents", [])
        assert await _names(gate) == []
        assert (await gate.call("writer", "SendMessage", message())).code != 0


async def test_a_registered_agent_is_called_at_public_addresses_only(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path) as gate:
        await gate.edge.publish(gate.parts, "agents", [record("writer", writer)])
        assert (await gate.call("writer", "SendMessage", message())).code == -32000
        assert writer.heard == []
        await gate.row(outcome="refused", reason="forbidden")


@pytest.mark.parametrize("state", ["disabled", "quarantined"])
async def test_an_agent_out_of_service_is_refused_and_says_why(tmp_path: Path, state: Any) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        told = AgentRecord(name="writer", state=state, reason="it leaks")
        await gate.edge.publish(gate.parts, "agents", [told])
        answer = await gate.call("writer", "SendMessage", message())
        assert state in answer.message
        assert "it leaks" in answer.message
        assert writer.calls() == []


async def test_a_record_cannot_take_over_where_a_configured_agent_is(tmp_path: Path) -> None:
    async with (
        agent(Echo()) as writer,
        agent(Echo()) as thief,
        gateway(tmp_path, writer=writer, section=LOCAL) as gate,
    ):
        for tenant in ("", "acme"):
            hijack = record("writer", thief, tenant=tenant, labels=("reads:private",))
            await gate.edge.publish(gate.parts, "agents", [hijack])
            assert (await gate.call("writer", "SendMessage", message())).code == 0
        assert thief.heard == []


async def test_a_tenants_agent_is_nobody_elses(tmp_path: Path) -> None:
    rules = [{"sub": "*", "dom": "*", "obj": "agent:*", "act": "*"}]
    async with agent(Echo()) as writer, gateway(tmp_path, rules=rules, section=LOCAL) as gate:
        await gate.edge.publish(gate.parts, "agents", [record("writer", writer, tenant="other")])
        assert await _names(gate, tenant="other") == ["writer"]
        assert await _names(gate, tenant="acme") == []
        foreign = await gate.call("writer", "SendMessage", message(), someone(tenant="acme"))
        assert "no agent is called writer" in foreign.message
        assert (await gate.call("writer", "SendMessage", message(), someone(tenant="other"))).code == 0


async def test_a_snapshot_that_is_none_changes_nothing(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, section=LOCAL) as gate:
        await gate.edge.publish(gate.parts, "agents", [record("writer", writer)])
        await gate.edge.lay(gate.parts, "agents", {"not": "a list"})
        await eventually(lambda: "agents" in gate.parts.snapshots.trouble, "it was looked at")
        assert await _names(gate) == ["writer"]


async def test_agents_are_found_by_skill_tag_and_text(tmp_path: Path) -> None:
    settings: dict[str, dict[str, Any]] = {
        "refunds": {"tags": ["finance", "eu"], "owner": "team:billing"},
        "writer": {"tags": ["prose"]},
    }
    async with (
        agent(Echo(), "refund desk") as refunds,
        agent(Echo(), "writer") as writer,
        gateway(tmp_path, refunds=refunds, writer=writer, settings=settings) as gate,
    ):
        assert await _names(gate, "?skill=talk") == ["refunds", "writer"]
        assert await _names(gate, "?skill=walk") == []
        assert await _names(gate, "?tag=finance") == ["refunds"]
        assert await _names(gate, "?tag=text&skill=talk") == ["refunds", "writer"]
        assert await _names(gate, "?q=refund") == ["refunds"]
        assert await _names(gate, "?q=desk+finance") == ["refunds"]
        assert await _names(gate, "?q=desk+prose") == []
        assert await _names(gate, "?q=says+something") == ["refunds", "writer"]
        assert await _names(gate, "?q=") == ["refunds", "writer"]


async def test_who_may_use_one_skill_sees_and_uses_only_that(tmp_path: Path) -> None:
    rules = [{"sub": "user:alice", "dom": "acme", "obj": "agent:writer/skill/talk", "act": "invoke"}]
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, rules=rules) as gate:
        assert await _names(gate) == ["writer"]
        talk, walk = message(metadata={"skill": "talk"}), message(metadata={"skill": "walk"})
        assert (await gate.call("writer", "SendMessage", talk)).code == 0
        await gate.row(resource="agent:writer/skill/talk", decision="allow")
        for refused in (message(), walk):
            assert (await gate.call("writer", "SendMessage", refused)).code == -32000
        assert (await gate.call("writer", "SendMessage", talk, someone("user:bob"))).code == -32000
        assert len(writer.calls()) == 1


async def test_a_denied_skill_of_an_allowed_agent_is_not_offered(tmp_path: Path) -> None:
    deny = {"sub": "*", "dom": "*", "obj": "agent:writer/skill/talk", "act": "*", "eft": "deny"}
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, rules=[*ALL, deny]) as gate:
        [listed] = (await gate.get("/agents")).json["agents"]
        assert listed["skills"] == []
        assert (await gate.call("writer", "SendMessage", message())).code == 0
        talk = message(metadata={"skill": "talk"})
        assert (await gate.call("writer", "SendMessage", talk)).code == -32000


async def test_a_head_of_the_directory_has_no_body(tmp_path: Path) -> None:
    async with gateway(tmp_path) as gate, await gate.open("", b"", method="HEAD", path="/agents") as reply:
        assert reply.status == 200
        assert await reply.read(100) == b""
