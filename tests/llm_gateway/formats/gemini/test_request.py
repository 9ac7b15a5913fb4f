"""A caller's request in the neutral form, where the golden files do not say enough."""

from typing import Any

import msgspec
import pytest

from llm_gateway.chat.parts import Image, Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.request import Chat, Output, Reasoning, Tool, ToolChoice
from llm_gateway.formats.gemini import request, signature
from shared.errors import BadRequest

ASKED = [{"role": "user", "parts": [{"text": "hi"}]}]


def chat(contents: Any = None, **members: Any) -> Chat:
    body = msgspec.json.encode({"contents": ASKED if contents is None else contents, **members})
    return request.chat(body, "fast", stream=False)


def called(name: str, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": {}, **more}}


def answered(name: str, **more: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": {"output": "ok"}, **more}}


def results(found: Chat) -> list[tuple[str, str]]:
    parts = [part for message in found.messages for part in message.parts]
    return [(part.call_id, part.name) for part in parts if isinstance(part, ToolResult)]


def test_results_without_ids_belong_to_their_calls_by_name_and_order() -> None:
    turn = [{"role": "model", "parts": [called("a"), called("b"), called("a")]}]
    back = [{"role": "user", "parts": [answered("b"), answered("a"), answered("a")]}]
    assert results(chat(ASKED + turn + back)) == [("call_2", "b"), ("call_1", "a"), ("call_3", "a")]


def test_results_with_ids_belong_to_their_calls_in_any_order() -> None:
    turn = [{"role": "model", "parts": [called("a", id="x"), called("a", id="y")]}]
    back = [{"role": "user", "parts": [answered("a", id="y"), answered("a", id="x")]}]
    assert results(chat(ASKED + turn + back)) == [("y", "a"), ("x", "a")]


def test_results_that_have_lost_their_ids_are_found_by_name() -> None:
    turn = [{"role": "model", "parts": [called("a", id="toolu_1")]}]
    assert results(chat([*ASKED, *turn, {"role": "user", "parts": [answered("a")]}])) == [("toolu_1", "a")]


def test_a_result_of_no_call_is_refused() -> None:
    with pytest.raises(BadRequest, match="answers no functionCall"):
        chat([*ASKED, {"role": "user", "parts": [answered("a")]}])


def test_a_result_may_hold_images() -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
    found = chat(
        [
            *ASKED,
            {"role": "model", "parts": [called("a")]},
            {"role": "user", "parts": [answered("a", parts=[image])]},
        ]
    )
    result = found.messages[-1].parts[0]
    assert isinstance(result, ToolResult)
    assert result.content == (Text(text="ok"), Image(media_type="image/png", data="iVBORw0KGgo="))


def test_what_a_stream_has_cut_is_put_together_again() -> None:
    signed = signature.write("sig+/=", "anthropic")
    pieces = [
        {"role": "model", "parts": [{"text": "I ", "thought": True}]},
        {"role": "model", "parts": [{"text": "think", "thought": True, "thoughtSignature": signed}]},
        {"role": "model", "parts": [{"text": "Hel"}]},
        {"role": "model", "parts": [{"text": "lo"}]},
        {"role": "model", "parts": [{"text": ""}]},
    ]
    assert chat(ASKED + pieces).messages[-1].parts == (
        Thinking(text="I think", signature="sig+/=", origin="anthropic"),
        Text(text="Hello"),
    )


def test_texts_of_a_user_stay_apart() -> None:
    found = chat([{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}])
    assert found.messages[0].parts == (Text(text="a"), Text(text="b"))


def test_a_signature_that_a_client_has_encoded_anew_is_still_ours() -> None:
    signed = signature.write("a>b?c~d", "anthropic", redacted=True)
    again = signed.replace("-", "+").replace("_", "/").rstrip("=")
    part = {"text": "", "thought": True, "thoughtSignature": again}
    assert chat([*ASKED, {"role": "model", "parts": [part]}]).messages[-1].parts == (
        Thinking(signature="a>b?c~d", origin="anthropic", redacted=True),
    )


def test_a_signature_that_was_tampered_with_is_refused() -> None:
    part = {"text": "", "thought": True, "thoughtSignature": "Z2F0ZXN0YWNrL2FiYw=="}
    with pytest.raises(BadRequest, match=r"contents\[1\].parts\[0\]: a thoughtSignature is damaged"):
        chat([*ASKED, {"role": "model", "parts": [part]}])


def test_a_signed_call_keeps_its_signature() -> None:
    part = called("a") | {"thoughtSignature": "c2ln"}
    (call,) = chat([*ASKED, {"role": "model", "parts": [part]}]).messages[-1].parts
    assert isinstance(call, ToolCall)
    assert (call.signature, call.origin) == ("c2ln", "gemini")


@pytest.mark.parametrize(
    ("config", "meant"),
    [
        ({"mode": "AUTO"}, ToolChoice()),
        ({"mode": "MODE_UNSPECIFIED"}, ToolChoice()),
        ({"mode": "NONE"}, ToolChoice(mode="none")),
        ({"mode": "ANY"}, ToolChoice(mode="any")),
        ({"mode": "ANY", "allowed_function_names": ["a"]}, ToolChoice(mode="named", name="a")),
        ({"mode": "VALIDATED"}, ToolChoice()),
    ],
)
def test_tool_choices(config: dict[str, Any], meant: ToolChoice) -> None:
    assert chat(toolConfig={"functionCallingConfig": config}).tool_choice == meant


def test_what_a_choice_says_beyond_is_kept_by_name() -> None:
    found = chat(tool_config={"function_calling_config": {"mode": "VALIDATED"}})
    assert found.extra == {"toolConfig.functionCallingConfig.mode": "VALIDATED"}


@pytest.mark.parametrize(
    ("config", "meant"),
    [
        ({"thinkingBudget": 0}, Reasoning(effort="none")),
        ({"thinkingBudget": -1, "includeThoughts": True}, Reasoning(show=True)),
        ({"thinkingBudget": 512}, Reasoning(budget=512)),
        ({"thinkingLevel": "MINIMAL"}, Reasoning(effort="minimal")),
        ({"thinking_level": "low"}, Reasoning(effort="low")),
    ],
)
def test_thinking(config: dict[str, Any], meant: Reasoning) -> None:
    assert chat(generationConfig={"thinkingConfig": config}).reasoning == meant


@pytest.mark.parametrize(
    ("config", "meant"),
    [
        ({"responseMimeType": "application/json"}, Output(kind="json")),
        ({"responseMimeType": "text/plain"}, Output()),
        ({"responseJsonSchema": {"type": "object"}}, Output(kind="schema", schema={"type": "object"})),
        ({"responseSchema": {"type": "OBJECT"}}, Output(kind="schema", schema={"type": "object"})),
    ],
)
def test_output(config: dict[str, Any], meant: Output) -> None:
    assert chat(generationConfig=config).output == meant


def test_names_in_a_callers_own_schema_are_left_alone() -> None:
    schema = {"type": "OBJECT", "properties": {"first_name": {"type": "STRING"}}, "required": ["first_name"]}
    declared = [{"name": "greet", "parameters": schema}]
    (tool,) = chat(tools=[{"function_declarations": declared}]).tools
    assert isinstance(tool, Tool)
    assert tool.schema == {
        "type": "object",
        "properties": {"first_name": {"type": "string"}},
        "required": ["first_name"],
    }


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"contents": [{"role": "wizard", "parts": []}]}, r"contents\[0\].role"),
        ({"contents": ["hi"]}, r"contents\[0\]"),
        ({"contents": [{"parts": [{"text": 1}]}]}, r"contents\[0\].parts\[0\]"),
        ({"contents": [{"parts": [{"functionCall": {}}]}]}, "name"),
        ({"contents": [{"parts": 3}]}, "parts must be a list"),
        ({"generationConfig": {"topK": "many"}}, "topK"),
        ({"tools": [{"functionDeclarations": [{}]}]}, "name"),
        ({"tools": [{"functionDeclarations": 3}]}, "array"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "MAYBE"}}}, "mode"),
        ({"systemInstruction": 3}, "systemInstruction"),
        ({"generationConfig.temperature": 9}, "no member of the body has a dot"),
        ({"generationConfig": {"thinkingConfig.x": 9}}, "no member of generationConfig has a dot"),
    ],
)
def test_a_member_of_the_wrong_type_is_named(members: dict[str, Any], told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        chat(**members)


def test_nesting_without_end_is_refused() -> None:
    body = b'{"contents":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    with pytest.raises(BadRequest):
        request.chat(body, "fast", stream=False)
