"""Tools and the choice among them, with the one thing that Converse cannot say: none."""

from typing import Any

import pytest

from llm_gateway.chat.parts import Text, ToolCall, ToolResult
from llm_gateway.chat.request import HostedTool, Tool, ToolChoice
from shared.errors import BadRequest
from tests.llm_gateway.formats.bedrock.samples import WEATHER, dropped, say, sent

TOOL = Tool(name="weather", description="The weather", schema=WEATHER)
SPEC = {"toolSpec": {"name": "weather", "description": "The weather", "inputSchema": {"json": WEATHER}}}
LOOP = (
    say("user", "Weather?"),
    say("assistant", ToolCall(id="a", name="weather", arguments="{}")),
    say("user", ToolResult(call_id="a", content=(Text(text="hot"),))),
)


def config(*messages: Any, **fields: Any) -> Any:
    return sent(*messages, **fields).get("toolConfig")


def test_a_tool_and_its_schema() -> None:
    assert config(tools=(TOOL,)) == {"tools": [SPEC]}


@pytest.mark.parametrize("schema", [{}, {"properties": {}}, {"type": "object", "properties": {}}], ids=str)
def test_a_tool_without_arguments_takes_an_empty_object(schema: dict[str, Any]) -> None:
    [tool] = config(tools=(Tool(name="now", schema=schema),))["tools"]
    assert tool == {
        "toolSpec": {"name": "now", "inputSchema": {"json": {"type": "object", "properties": {}}}}
    }


def test_strictness_and_cache_points() -> None:
    tools = config(tools=(Tool(name="a", strict=True, cache_point=True), Tool(name="b", strict=False)))[
        "tools"
    ]
    assert tools[0]["toolSpec"]["strict"] is True
    assert tools[1] == {"cachePoint": {"type": "default"}}
    assert "strict" not in tools[2]["toolSpec"]


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (ToolChoice(), None),
        (ToolChoice(mode="any"), {"any": {}}),
        (ToolChoice(mode="named", name="weather"), {"tool": {"name": "weather"}}),
    ],
    ids=str,
)
def test_choices(choice: ToolChoice, told: Any) -> None:
    assert config(tools=(TOOL,), tool_choice=choice).get("toolChoice") == told


def test_no_tools_at_all_is_how_none_is_said() -> None:
    choice = ToolChoice(mode="none")
    assert config(tools=(TOOL,), tool_choice=choice) is None
    assert dropped(tools=(TOOL,), tool_choice=choice) == ()


def test_after_calls_none_cannot_be_said_and_is_named() -> None:
    choice = ToolChoice(mode="none")
    assert config(*LOOP, tools=(TOOL,), tool_choice=choice) == {"tools": [SPEC]}
    assert dropped(*LOOP, tools=(TOOL,), tool_choice=choice) == ("tool_choice",)


def test_calls_without_tools_bring_the_tools_back_that_they_used() -> None:
    assert config(*LOOP) == {
        "tools": [
            {"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object", "properties": {}}}}}
        ]
    }


def test_one_call_at_a_time_cannot_be_asked_for() -> None:
    assert dropped(tools=(TOOL,), tool_choice=ToolChoice(parallel=False)) == ("tool_choice.parallel",)
    assert dropped(tools=(TOOL,), tool_choice=ToolChoice(parallel=True)) == ()


def test_hosted_tools_are_named_unless_they_are_its_own() -> None:
    search = HostedTool(origin="anthropic", kind="web_search_20250305", value={"type": "web_search_20250305"})
    own = HostedTool(origin="bedrock", kind="systemTool", value={"systemTool": {"name": "nova_grounding"}})
    assert dropped(tools=(TOOL, search)) == ("tools.web_search_20250305",)
    assert config(tools=(own,)) == {"tools": [{"systemTool": {"name": "nova_grounding"}}]}
    assert config(tools=(search,)) is None


@pytest.mark.parametrize("name", ["get.weather", "", "x" * 65, "wetter_für"])
def test_names_that_it_cannot_take_are_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="tools"):
        config(tools=(Tool(name=name),))
