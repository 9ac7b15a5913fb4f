"""A request read into the neutral form: what survives, and what is refused by its name."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.chat.request import Chat
from llm_gateway.formats.openai_chat import OpenAIChat, OpenAIChatWire
from shared.errors import BadRequest

FORMAT, WIRE = OpenAIChat(), OpenAIChatWire()
HI = [{"role": "user", "content": "hi"}]
words = st.text(min_size=1, max_size=12)


def chat(**members: object) -> Chat:
    body = {"model": "fast", "messages": HI} | members
    return FORMAT.chat(FORMAT.read(msgspec.json.encode(body), {}))


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"messages": [5]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0]"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
            "messages[0].content[0].text",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}
                ]
            },
            "messages[0].content[0].image_url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
            "messages[0].content[0].file",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]}, "messages[0].tool_calls[0]"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop": 5}, "stop"),
        ({"tools": [{"type": "function"}]}, "tools[0]"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": []}}}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"metadata": {"a": 5}}, "metadata[...]"),
    ],
    ids=str,
)
def test_what_cannot_be_understood_is_refused_by_its_name(members: dict[str, object], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        chat(**members)
    assert caught.value.data == {"param": param}
    assert caught.value.detail.startswith(param)


def test_an_effort_of_somebody_else_goes_on_as_it_is() -> None:
    found = chat(reasoning_effort="default")
    assert (found.reasoning, found.extra) == (None, {"reasoning_effort": "default"})


def test_null_members_say_nothing() -> None:
    assert chat(tools=None, stop=None, logit_bias=None, response_format=None) == chat()


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("llama3", "max_tokens"),
        ("gpt-4o", "max_tokens"),
        ("gpt-5-mini", "max_completion_tokens"),
        ("openai/o3", "max_completion_tokens"),
        ("solo3", "max_tokens"),
    ],
)
def test_the_longest_answer_is_asked_for_as_the_model_knows_it(model: str, name: str) -> None:
    sent = msgspec.json.decode(WIRE.request(chat(max_tokens=5), model).body)
    assert {key: value for key, value in sent.items() if key.startswith("max")} == {name: 5}
    forced = OpenAIChatWire(limit="max_tokens").request(chat(max_tokens=5), model)
    assert msgspec.json.decode(forced.body)["max_tokens"] == 5


texts = st.builds(lambda text: {"type": "text", "text": text}, words)
images = st.builds(
    lambda detail: {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,AAAA", "detail": detail},
    },
    st.sampled_from(["low", "high", "auto"]),
)
calls = st.builds(
    lambda id, name, text: {"id": id, "type": "function", "function": {"name": name, "arguments": text}},
    words,
    words,
    words,
)
messages = st.one_of(
    st.builds(lambda role, text: {"role": role, "content": text}, st.sampled_from(["system", "user"]), words),
    st.builds(
        lambda first, rest: {"role": "user", "content": [first, *rest]},
        images,
        st.lists(texts | images, max_size=3),
    ),
    st.builds(lambda text: {"role": "assistant", "content": text}, words),
    st.builds(
        lambda found, thought: {
            "role": "assistant",
            "content": None,
            "tool_calls": found,
            "reasoning_content": thought,
        },
        st.lists(calls, min_size=1, max_size=3),
        words,
    ),
    st.builds(lambda id, text: {"role": "tool", "tool_call_id": id, "content": text}, words, words),
)
settings = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2),
        "top_p": st.floats(0, 1),
        "max_tokens": st.integers(0, 1000),
        "stop": st.lists(words, min_size=1, max_size=3),
        "seed": st.integers(-5, 5),
        "user": words,
        "reasoning_effort": st.sampled_from(["low", "high"]),
        "stream": st.just(True),
        "logit_bias": st.just({"5": 1}),
    },
)


@given(st.lists(messages, max_size=5), settings)
def test_nothing_is_lost_on_the_way_through_the_neutral_form(
    sent: list[Any], members: dict[str, Any]
) -> None:
    body = {"model": "fast", "messages": sent} | members
    found = WIRE.request(chat(**body), "fast")
    expected = body | ({"stream_options": {"include_usage": True}} if "stream" in members else {})
    assert msgspec.json.decode(found.body) == expected
    assert found.dropped == ()
