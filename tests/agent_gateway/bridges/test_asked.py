"""What a message asks of a set of tools: policy is asked about the very tool that is called."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from agent_gateway.bridges.asked import asked_of, named, tool_call
from agent_gateway.call import Call, Names
from agent_gateway.methods import METHODS
from shared.bridges import ChatBridge, ToolsBridge
from shared.errors import BadRequest

TOOLS = ToolsBridge(server="files")


def call(*parts: dict[str, Any], skill: str = "") -> Call:
    message = Raw(msgspec.json.encode({"messageId": "m", "role": "ROLE_USER", "parts": list(parts)}))
    names = Names(skill=skill)
    return Call(method=METHODS["SendMessage"], id=Raw(b"1"), params={"message": message}, names=names)


def tool(name: object = "delete", **more: Any) -> dict[str, Any]:
    return {"data": {"tool": name, **more}}


def test_the_skill_is_the_tool_whatever_the_message_says_of_itself() -> None:
    assert named(TOOLS, call(tool())).names.skill == "delete"
    assert named(TOOLS, call(tool(), skill="delete")).names.skill == "delete"
    with pytest.raises(BadRequest, match="'read' and calls 'delete'"):
        named(TOOLS, call(tool(), skill="read"))


def test_other_agents_are_left_alone() -> None:
    for bridge in (None, ChatBridge(model="m")):
        assert named(bridge, call(tool())).names.skill == ""


@pytest.mark.parametrize(
    "parts",
    [
        [tool(), tool("read")],
        [tool(arguments={}, more=1)],
        [tool(7)],
        [tool(arguments=[1])],
    ],
)
def test_a_call_that_could_be_read_in_two_ways_is_refused(parts: list[dict[str, Any]]) -> None:
    with pytest.raises(BadRequest):
        named(TOOLS, call(*parts))


def test_words_and_other_data_call_nothing() -> None:
    message = call({"text": "delete all"}, {"data": {"path": "/"}}).params["message"]
    assert tool_call(asked_of(message)) is None
