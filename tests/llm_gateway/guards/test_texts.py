"""Every text of a request and a reply is found, and a changed one gets back to its place."""

import base64

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.chat.parts import File, Foreign, Image, Refusal, Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.request import Chat, HostedTool, Message, Tool
from llm_gateway.guards.texts import walk_chat, walk_reply
from shared.guards.texts import texts_of, with_texts
from tests.llm_gateway.guards.calls import reply, said

CHAT = Chat(
    origin="openai_chat",
    model="fast",
    messages=(
        Message(role="system", parts=(Text(text="orders"),)),
        Message(role="user", parts=(Text(text="one"), Image(url="https://x"), Text(text="two"))),
        Message(
            role="user",
            parts=(
                File(media_type="text/plain", data=base64.b64encode(b"a letter").decode()),
                File(media_type="application/pdf", data="/9j/4A==", name="how it is called"),
                Foreign(
                    origin="anthropic",
                    kind="document",
                    value={"source": {"data": "inside"}, "n": 1, "ok": True},
                ),
            ),
        ),
        Message(
            role="assistant",
            parts=(
                Thinking(text="hm", signature="s"),
                Refusal(text="no"),
                ToolCall(id="1", name="f", arguments='{"name": "Jane", "ids": [1234567, 8]}'),
                ToolCall(id="2", name="g", arguments='{"cut": "of'),
                ToolCall(id="3", name="h", arguments="free text", custom=True),
            ),
        ),
        Message(role="user", parts=(ToolResult(call_id="1", content=(Text(text="result"),)),)),
    ),
    tools=(
        Tool(name="f", description="finds", schema={"properties": {"name": {"description": "whose"}}}),
        HostedTool(origin="openai_responses", kind="web_search", value={"hint": "news"}),
    ),
    extra={"prediction": {"content": "guess"}},
)


def test_every_text_is_found_with_whose_it_is() -> None:
    found = [(each.who, each.text) for each in texts_of(CHAT, walk_chat)]
    wanted = [
        ("system", "orders"),
        ("user", "one"),
        ("user", "two"),
        ("user", "a letter"),
        ("user", "how it is called"),
        ("user", "inside"),
        ("thinking", "hm"),
        ("assistant", "no"),
        ("call", "Jane"),
        ("call", "1234567"),
        ("call", '{"cut": "of'),
        ("call", "free text"),
        ("tool", "result"),
        ("definition", "finds"),
        ("definition", "whose"),
        ("definition", "news"),
        ("user", "guess"),
    ]
    assert [each for each in found if each in wanted] == wanted


def test_a_changed_text_gets_back_to_its_place_and_nothing_else_changes() -> None:
    texts = texts_of(CHAT, walk_chat)
    for place, each in enumerate(texts):
        changed = with_texts(CHAT, {place: "NEW"}, walk_chat)
        assert [now.text for now in texts_of(changed, walk_chat)] == [
            *(before.text for before in texts[:place]),
            "NEW",
            *(after.text for after in texts[place + 1 :]),
        ] or each.json, each


def test_without_changes_it_is_the_very_same_object() -> None:
    assert with_texts(CHAT, {}, walk_chat) is CHAT
    assert with_texts(CHAT, {0: "orders"}, walk_chat) is CHAT


def test_signed_thinking_that_is_changed_is_signed_no_more() -> None:
    given_reply = reply(Thinking(text="hm", signature="s"))
    assert with_texts(given_reply, {0: "ah"}, walk_reply).parts == (Thinking(text="ah"),)


def test_json_too_deep_to_walk_is_read_as_it_is_written() -> None:
    arguments = "[" * 200 + '"deep"' + "]" * 200
    texts = texts_of(reply(ToolCall(id="1", name="f", arguments=arguments)), walk_reply)
    assert any("deep" in each.text for each in texts)


@given(
    st.recursive(
        st.text(max_size=5) | st.integers() | st.none() | st.booleans(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    )
)
def test_arguments_that_nobody_changes_stay_as_they_were_written(value: object) -> None:
    call = ToolCall(id="1", name="f", arguments=msgspec.json.encode(value).decode())
    given_reply = reply(call)
    assert with_texts(given_reply, {}, walk_reply) is given_reply


def test_texts_of_one_message_stand_together() -> None:
    groups = [each.group for each in texts_of(said("a", "b", system="s"), walk_chat)]
    assert groups == [0, 1, 2]
