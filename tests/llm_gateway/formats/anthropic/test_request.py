"""What a client's request says, what is wrong with one, and what of it goes on as it is."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gateway.chat.parts import Text
from llm_gateway.formats.anthropic.count import count_body, count_of, count_reply, read_count
from shared.errors import BadRequest, UpstreamBroken
from tests.llm_gateway.formats.anthropic.samples import FORMAT, MESSAGES, asked, chat_of
from tests.support.providers import REAL_MODEL


def refused(**members: Any) -> tuple[str, Any]:
    with pytest.raises(BadRequest) as caught:
        chat_of(**members)
    assert isinstance(caught.value.data, dict)
    return caught.value.detail, caught.value.data["param"]


def content(*blocks: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(blocks)}]


def test_the_cheap_look_sees_what_every_call_needs() -> None:
    ask = asked(stream=True, system="x" * 400)
    assert (ask.model, ask.stream, ask.tokens_out, ask.wants_usage) == ("fast", True, 100, True)
    assert 100 <= ask.tokens_in <= 120


@pytest.mark.parametrize("name", ["model", "max_tokens", "messages"])
def test_what_is_missing_is_named(name: str) -> None:
    body = {"model": "fast", "max_tokens": 1, "messages": MESSAGES}
    del body[name]
    with pytest.raises(BadRequest, match=f"{name}: field required") as caught:
        FORMAT.read(msgspec.json.encode(body), {})
    assert caught.value.data == {"param": name}


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({"model": ""}, "model"),
        ({"model": 1}, "model"),
        ({"max_tokens": "1"}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": None}, "max_tokens"),
        ({"messages": {}}, "messages"),
        ({"stream": "yes"}, "stream"),
    ],
    ids=str,
)
def test_what_has_the_wrong_type_is_named(members: dict[str, Any], name: str) -> None:
    with pytest.raises(BadRequest, match=f"^{name}: ") as caught:
        asked(**members)
    assert caught.value.data == {"param": name}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model":"a","model":"b"}', b"[" * 10_000], ids=repr)
def test_what_is_no_object_with_single_members_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        FORMAT.read(body, {})


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": content("x")}, "messages.0.content.0"),
        ({"messages": content({"text": "x"})}, "messages.0.content.0.type"),
        ({"messages": content({"type": "text"})}, "messages.0.content.0"),
        ({"messages": content({"type": "text", "text": 1})}, "messages.0.content.0.text"),
        (
            {"messages": content({"type": "tool_use", "id": "1", "name": "a", "input": "x"})},
            "messages.0.content.0.input",
        ),
        (
            {
                "messages": content(
                    {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": 1}]}
                )
            },
            "messages.0.content.0.content.0.text",
        ),
        (
            {"messages": content({"type": "image", "source": {"type": "base64", "data": 1}})},
            "messages.0.content.0.source.data",
        ),
        ({"system": 5}, "system"),
        ({"system": [{"type": "text", "text": None}]}, "system.0.text"),
        ({"tools": [{"name": "a"}]}, "tools.0"),
        ({"tools": [{"name": 1, "input_schema": {}}]}, "tools.0.name"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice"),
        ({"tool_choice": {"type": "all"}}, "tool_choice"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": "x"}}, "thinking.budget_tokens"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "xml", "schema": {}}}}, "output_config.format.type"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"metadata": []}, "metadata"),
    ],
    ids=str,
)
def test_what_cannot_be_understood_is_named(members: dict[str, Any], path: str) -> None:
    detail, param = refused(**members)
    assert param == path
    assert detail.startswith(path)


def test_a_conversation_that_is_nested_too_deep_is_refused() -> None:
    deep = b'{"model":"a","max_tokens":1,"messages":[{"role":"user","content":[' + b'{"a":' * 5_000
    body = deep + b"1" + b"}" * 5_000 + b"]}]}"
    with pytest.raises(BadRequest):
        FORMAT.chat(FORMAT.read(body, {}))


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "type",
                        "text",
                        "source",
                        "input",
                        "content",
                        "id",
                        "name",
                        "tool_use_id",
                        "cache_control",
                    ]
                ),
                inner
                | st.sampled_from(
                    ["text", "image", "document", "tool_use", "tool_result", "thinking", "base64", "url"]
                ),
                max_size=5,
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from(["messages", "system", "tools", "tool_choice", "thinking", "output_config", "metadata"]),
)
def test_no_request_makes_it_raise_anything_but_a_refusal(value: Any, name: str) -> None:
    given_value = content(value) if name == "messages" else value
    try:
        chat_of(**{name: given_value})
    except BadRequest:
        return


def test_plain_text_is_one_part() -> None:
    assert chat_of().messages[0].parts == (Text(text="How are you?"),)


def test_a_provider_gets_the_bytes_with_its_own_name_of_the_model() -> None:
    ask = asked(model="fast", note="fast")
    body = FORMAT.body_for(ask, REAL_MODEL, count=True)
    assert body == ask.body.replace(b'"model":"fast"', f'"model":"{REAL_MODEL}"'.encode())
    assert FORMAT.body_for(ask, "fast", count=False) is ask.body


def test_other_providers_signatures_do_not_reach_a_provider_of_anthropics_format() -> None:
    thought = {"type": "thinking", "thinking": "Hm", "signature": 'gatestack:["gemini","x"]'}
    sealed = {"type": "redacted_thinking", "data": 'gatestack:["gemini","toolu_1","x"]'}
    call = {"type": "tool_use", "id": "toolu_1", "name": "a", "input": {"n": 1}}
    said = {"role": "assistant", "content": [thought, call, sealed]}
    ask = asked(
        messages=[*MESSAGES, said, *content({"type": "tool_result", "tool_use_id": "toolu_1"})], system="x"
    )
    body = msgspec.json.decode(FORMAT.body_for(ask, REAL_MODEL, count=True))
    assert body["messages"][1] == {"role": "assistant", "content": [call]}
    assert (body["model"], body["max_tokens"]) == (REAL_MODEL, 100)


@pytest.mark.parametrize("spaced", [b'"data":"', b'"data": "'])
def test_an_attachment_counts_as_a_picture_and_not_as_text(spaced: bytes) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 400_000}}
    body = asked(messages=content(image, image)).body.replace(b'"data":"', spaced)
    assert 3_000 <= FORMAT.read(body, {}).tokens_in <= 3_200


def test_counting_needs_no_length_of_an_answer() -> None:
    ask = read_count(msgspec.json.encode({"model": "fast", "messages": MESSAGES}), {})
    assert (ask.model, ask.tokens_out) == ("fast", 0)
    assert count_body(ask, REAL_MODEL) == ask.body.replace(b'"fast"', f'"{REAL_MODEL}"'.encode())
    assert msgspec.json.decode(count_reply(12)) == {"input_tokens": 12}
    with pytest.raises(BadRequest, match="messages"):
        read_count(b'{"model":"fast"}', {})


def test_what_a_count_has_no_place_for_stays_here() -> None:
    sealed = {"type": "thinking", "thinking": "Hm", "signature": 'gatestack:["gemini","x"]'}
    messages = [*MESSAGES, {"role": "assistant", "content": [sealed, {"type": "text", "text": "Hi"}]}]
    for ask in (asked(messages=messages), asked(stream=True)):
        sent = msgspec.json.decode(count_body(ask, REAL_MODEL))
        assert set(sent) == {"model", "messages"}
        assert "gatestack" not in str(sent)


def test_a_providers_count_is_read() -> None:
    assert count_of(b'{"input_tokens": 2095}') == 2095
    for body in (b"", b"{}", b'{"input_tokens":-1}', b"[]"):
        with pytest.raises(UpstreamBroken):
            count_of(body)
