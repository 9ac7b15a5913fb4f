"""Requests for providers, where the golden files do not say enough."""

from typing import Any

import msgspec
import pytest

from llm_gateway.chat.parts import File, Image, Text, ToolCall, ToolResult
from llm_gateway.chat.request import Chat, HostedTool, Message, Reasoning, Tool, ToolChoice
from llm_gateway.formats.gemini.wire import GeminiWire
from shared.errors import BadRequest
from tests.llm_gateway.formats.gemini.samples import PIXEL, assistant, chat, user


def sent(given: Chat, model: str = "gemini-2.5-flash") -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(GeminiWire().request(given, model).body)
    return found


def dropped(given: Chat, model: str = "gemini-2.5-flash") -> tuple[str, ...]:
    return GeminiWire().request(given, model).dropped


@pytest.mark.parametrize(
    ("model", "wanted", "config"),
    [
        ("gemini-2.5-flash", Reasoning(effort="none"), {"thinkingBudget": 0}),
        ("gemini-2.5-pro", Reasoning(effort="none"), {"thinkingBudget": 128}),
        ("gemini-2.5-flash", Reasoning(effort="low"), {"thinkingBudget": 1024}),
        (
            "gemini-2.5-flash",
            Reasoning(effort="max", show=False),
            {"includeThoughts": False, "thinkingBudget": 24576},
        ),
        ("gemini-2.5-flash", Reasoning(effort="low", budget=77), {"thinkingBudget": 77}),
        ("gemini-flash-latest", Reasoning(effort="low"), {"thinkingBudget": 1024}),
        ("gemini-3-flash-preview", Reasoning(effort="none"), {"thinkingLevel": "MINIMAL"}),
        ("gemini-3.1-pro", Reasoning(effort="minimal"), {"thinkingLevel": "LOW"}),
        (
            "gemini-3.1-pro",
            Reasoning(effort="medium", show=True),
            {"includeThoughts": True, "thinkingLevel": "MEDIUM"},
        ),
        ("gemini-3-pro", Reasoning(effort="xhigh"), {"thinkingLevel": "HIGH"}),
        ("gemini-3-pro", Reasoning(budget=500), {"thinkingBudget": 500}),
    ],
)
def test_effort_in_the_models_own_measure(model: str, wanted: Reasoning, config: dict[str, Any]) -> None:
    assert sent(chat(reasoning=wanted), model)["generationConfig"]["thinkingConfig"] == config


def test_models_that_cannot_think_are_not_asked_to() -> None:
    given = chat(reasoning=Reasoning(effort="high"))
    assert "generationConfig" not in sent(given, "gemini-2.0-flash")
    assert dropped(given, "gemini-2.0-flash") == ("reasoning",)


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (ToolChoice(), {"mode": "AUTO"}),
        (ToolChoice(mode="none"), {"mode": "NONE"}),
        (ToolChoice(mode="any"), {"mode": "ANY"}),
        (ToolChoice(mode="named", name="a"), {"mode": "ANY", "allowedFunctionNames": ["a"]}),
    ],
)
def test_tool_choices(choice: ToolChoice, config: dict[str, Any]) -> None:
    given = chat(tools=(Tool(name="a"),), tool_choice=choice)
    assert sent(given)["toolConfig"] == {"functionCallingConfig": config}


def test_a_choice_among_no_tools_is_not_sent() -> None:
    assert "toolConfig" not in sent(chat(tool_choice=ToolChoice()))


def test_strict_tools_are_only_promised_where_a_call_must_come() -> None:
    tools = (Tool(name="a", strict=True),)
    assert dropped(chat(tools=tools)) == ("tools.strict",)
    assert dropped(chat(tools=tools, tool_choice=ToolChoice(mode="any"))) == ()


def test_hosted_tools_of_its_own_go_on() -> None:
    tool = HostedTool(origin="gemini", kind="googleSearch", value={"googleSearch": {}})
    assert sent(chat(tools=(tool,)))["tools"] == [{"googleSearch": {}}]


def test_neighbours_of_one_role_become_one_turn() -> None:
    found = sent(chat(user(Text(text="a")), user(Text(text="b")), assistant(Text(text="c"))))
    assert found["contents"] == [
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
        {"role": "model", "parts": [{"text": "c"}]},
    ]


def test_results_of_calls_without_ids_stand_in_the_order_of_their_calls() -> None:
    calls = [ToolCall(id=f"gcall_{n}", name="look", arguments="{}") for n in range(3)]
    results = [user(ToolResult(call_id=f"gcall_{n}", content=(Text(text=str(n)),))) for n in (2, 0, 1)]
    told = Message(role="system", parts=(Text(text="Be quick."),))
    (_, back) = sent(chat(assistant(*calls), results[0], told, *results[1:]))["contents"]
    assert [part["functionResponse"]["response"]["output"] for part in back["parts"]] == ["0", "1", "2"]


def test_instructions_alone_are_what_the_user_says() -> None:
    found = sent(chat(Message(role="system", parts=(Text(text="Go."),))))
    assert found == {"contents": [{"role": "user", "parts": [{"text": "Go."}]}]}


def test_images_of_results_stand_beside_them_for_older_models() -> None:
    given = chat(
        assistant(ToolCall(id="c", name="look", arguments="{}")),
        user(ToolResult(call_id="c", content=(Image(media_type="image/png", data=PIXEL),))),
    )
    image = {"inlineData": {"mimeType": "image/png", "data": PIXEL}}
    old = sent(given)["contents"][1]["parts"]
    assert old == [{"functionResponse": {"name": "look", "response": {"output": ""}, "id": "c"}}, image]
    assert sent(given, "gemini-3-pro")["contents"][1]["parts"][0]["functionResponse"]["parts"] == [image]


def test_a_custom_tools_text_is_its_input() -> None:
    given = chat(assistant(ToolCall(id="c", name="run", arguments="ls -l", custom=True)))
    assert sent(given)["contents"][0]["parts"][0]["functionCall"]["args"] == {"input": "ls -l"}


@pytest.mark.parametrize("arguments", ["", "  "])
def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    given = chat(assistant(ToolCall(id="c", name="now", arguments=arguments)))
    assert sent(given)["contents"][0]["parts"][0]["functionCall"]["args"] == {}


def test_arguments_that_are_no_object_are_refused() -> None:
    with pytest.raises(BadRequest, match="'c' are no JSON object"):
        sent(chat(assistant(ToolCall(id="c", name="now", arguments="[1]"))))


def test_a_result_whose_tool_nobody_knows_is_refused() -> None:
    with pytest.raises(BadRequest, match="has the id 'c'"):
        sent(chat(user(ToolResult(call_id="c", content=(Text(text="x"),)))))


@pytest.mark.parametrize("url", ["gs://b/a.pdf", "https://generativelanguage.googleapis.com/v1beta/files/1"])
def test_files_at_googles_places_go_on_by_their_address(url: str) -> None:
    found = sent(chat(user(File(url=url, name="a.pdf"))))
    assert found["contents"][0]["parts"] == [{"fileData": {"mimeType": "application/pdf", "fileUri": url}}]


def test_other_addresses_are_not_fetched_but_named() -> None:
    given = chat(
        user(Text(text="x"), Image(url="https://example.com/a.png"), File(url="https://example.com/a"))
    )
    assert dropped(given) == ("image.url", "file.url")
    assert sent(given)["contents"][0]["parts"] == [{"text": "x"}]


def test_half_a_character_is_refused() -> None:
    with pytest.raises(BadRequest, match="half a character"):
        GeminiWire().request(chat(user(Text(text="\ud83d"))), "gemini-3-pro")
