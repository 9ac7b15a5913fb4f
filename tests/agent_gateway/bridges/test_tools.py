"""An MCP server as an agent: its skills are policy's, and nobody gets at a tool under another name."""

from pathlib import Path
from typing import Any

from shared.tool_pins import ToolPins
from tests.agent_gateway.gateway import Gateway, gateway, message

RULES = [
    {"sub": "*", "dom": "*", "obj": "agent:files", "act": "*"},
    {"sub": "*", "dom": "*", "obj": "agent:files/skill/delete", "act": "*", "eft": "deny"},
]
SECTION = {
    "edge_url": "http://127.0.0.1:9",
    "agents": {"files": {"bridge": {"kind": "mcp", "server": "files"}}},
}


async def send(gate: Gateway, tool: str, **fields: Any) -> Any:
    parts = [{"data": {"tool": tool, "arguments": {}}}]
    return await gate.call("files", "SendMessage", message(parts=parts, **fields))


async def test_a_denied_skill_cannot_be_called_under_another_or_no_name(tmp_path: Path) -> None:
    async with gateway(tmp_path, rules=RULES, section=SECTION) as gate:
        assert "may not" in (await send(gate, "delete")).message
        assert (await send(gate, "delete", metadata={"skill": "read"})).code == -32602
        # The edge is not there: the task fails, but it was allowed to begin.
        allowed = await send(gate, "read")
        assert allowed.json["result"]["task"]["status"]["state"] == "TASK_STATE_FAILED"


async def test_its_skills_are_the_tools_that_are_trusted(tmp_path: Path) -> None:
    async with gateway(tmp_path, rules=RULES, section=SECTION) as gate:
        definition = b'{"name": "read", "description": "Reads a file."}'
        pins = ToolPins(gate.parts.redis, gate.parts.clock)
        await pins.record("files", {"read": ("d", definition), "delete": ("d", b"")}, {})
        card = (await gate.get("/agents/files/.well-known/agent-card.json")).json
        assert [skill["id"] for skill in card["skills"]] == ["delete", "read"]
        assert card["skills"][1]["description"] == "Reads a file."
        [listed] = (await gate.get("/agents")).json["agents"]
        assert [skill["id"] for skill in listed["skills"]] == ["read"]
