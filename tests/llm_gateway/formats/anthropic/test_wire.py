"""What a provider is sent, over the golden cases: nothing gets lost on the way there and back."""

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gateway.chat.parts import File, Foreign, Image, Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.request import Chat, HostedTool, Message, Output, Reasoning, Tool, ToolChoice
from llm_gateway.formats.anthropic import AnthropicWire
from tests.llm_gateway.formats.anthropic.chats import CHATS, chat, said
from tests.llm_gateway.formats.anthropic.samples import FORMAT, WIRE, sent

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(str.strip)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
objects: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    words, st.integers() | words | st.booleans() | st.none() | st.lists(st.integers(), max_size=2), max_size=3
)
texts = st.builds(Text, text=words, cache_point=st.booleans())
images = st.builds(Image, media_type=st.just("image/png"), data=st.just("iVBORw0KGgo=")) | st.builds(
    Image, url=st.just("https://example.com/a.png")
)
files = st.builds(
    File, media_type=st.just("application/pdf"), data=st.just("JVBERg=="), name=words
) | st.builds(File, id=names)
foreign = st.builds(
    Foreign,
    origin=st.just("anthropic"),
    kind=st.just("search_result"),
    value=st.just({"type": "search_result", "x": 1}),
)
thoughts = st.builds(Thinking, text=words, signature=names, origin=st.just("anthropic")) | st.builds(
    Thinking, signature=names, origin=st.just("anthropic"), redacted=st.just(True)
)
calls = st.builds(
    ToolCall, id=names, name=names, arguments=objects.map(lambda value: msgspec.json.encode(value).decode())
)
results = st.builds(
    ToolResult, call_id=names, content=st.lists(texts | images, max_size=2).map(tuple), is_error=st.booleans()
)
user = st.tuples(
    st.lists(results, max_size=2), st.lists(texts | images | files | foreign, min_size=1, max_size=3)
).map(lambda lists: Message(role="user", parts=(*lists[0], *lists[1])))
assistant = st.lists(thoughts | texts | calls | foreign, min_size=1, max_size=4).map(
    lambda parts: Message(role="assistant", parts=tuple(parts))
)
system = st.lists(texts, min_size=1, max_size=2).map(lambda parts: Message(role="system", parts=tuple(parts)))
conversations = st.tuples(
    st.lists(system, max_size=1), user, st.lists(st.tuples(assistant, user), max_size=2)
).map(lambda three: (*three[0], three[1], *(message for pair in three[2] for message in pair)))
tools = st.builds(
    Tool,
    name=names,
    description=words,
    schema=objects.map(lambda value: {"type": "object", **value}),
    strict=st.booleans(),
) | st.builds(
    HostedTool,
    origin=st.just("anthropic"),
    kind=st.just("bash_20250124"),
    value=st.just({"type": "bash_20250124", "name": "bash"}),
)
choices = st.builds(
    ToolChoice, mode=st.sampled_from(["auto", "any"]), parallel=st.sampled_from([None, True, False])
) | st.builds(ToolChoice, mode=st.just("named"), name=names)
thinking = (
    st.none()
    | st.builds(Reasoning, effort=st.just("none"))
    | st.builds(
        Reasoning, effort=st.sampled_from(["low", "high", "max"]), show=st.sampled_from([None, True, False])
    )
    | st.builds(Reasoning, budget=st.integers(1024, 9000), show=st.sampled_from([None, True, False]))
)
chats = st.builds(
    Chat,
    origin=st.just("anthropic"),
    model=st.just("claude"),
    messages=conversations,
    stream=st.booleans(),
    tools=st.lists(tools, min_size=1, max_size=3).map(tuple),
    tool_choice=st.none() | choices,
    output=st.just(Output()) | st.builds(Output, kind=st.just("schema"), schema=objects),
    reasoning=thinking,
    max_tokens=st.integers(0, 99_999),
    temperature=st.none() | st.floats(0, 1),
    top_p=st.none() | st.floats(0, 1),
    top_k=st.none() | st.integers(0, 99),
    stop=st.lists(words, max_size=2).map(tuple),
    user=names,
    service_tier=st.sampled_from(["", "auto", "default"]),
    extra=st.dictionaries(st.sampled_from(["container", "speed", "inference_geo"]), words, max_size=2),
)


def nameless(chat: Chat) -> Chat:
    """Without the names of tools at their results, which are found from the calls when a request is read."""
    messages = tuple(
        msgspec.structs.replace(
            message,
            parts=tuple(
                msgspec.structs.replace(part, name="") if isinstance(part, ToolResult) else part
                for part in message.parts
            ),
        )
        for message in chat.messages
    )
    return msgspec.structs.replace(chat, messages=messages)


@settings(max_examples=150, deadline=None)
@given(chats)
def test_what_is_said_in_anthropics_words_comes_back_from_them(chat: Chat) -> None:
    outbound = WIRE.request(chat, "claude")
    assert outbound.dropped == ()
    assert nameless(FORMAT.chat(FORMAT.read(outbound.body, {}))) == chat


@pytest.mark.parametrize("case", CHATS)
def test_what_is_sent_is_what_anthropic_takes(case: str) -> None:
    body = sent(CHATS[case])
    roles = [message["role"] for message in body["messages"]]
    assert roles[0] == "user"
    assert all(one != other for one, other in itertools.pairwise(roles))
    blocks = [block for message in body["messages"] for block in message["content"]]
    assert all(message["content"] for message in body["messages"])
    assert all(block["text"].strip() for block in blocks if block["type"] == "text")
    budget = body.get("thinking", {}).get("budget_tokens", 0)
    assert body["max_tokens"] > budget


def test_content_of_other_formats_comes_through_too() -> None:
    """As the neutral form of it, once joined and ordered, is what a client of Anthropic's would have said."""
    again = FORMAT.chat(FORMAT.read(WIRE.request(CHATS["parallel_tools"], "claude").body, {}))
    kinds = [[type(part).__name__ for part in message.parts] for message in again.messages]
    assert kinds == [["Text"], ["Text", "ToolCall", "ToolCall"], ["ToolResult", "ToolResult", "Text"]]
    results = [part for part in again.messages[2].parts if isinstance(part, ToolResult)]
    assert [(part.name, part.is_error) for part in results] == [("search", False), ("search", True)]


def test_arguments_keep_every_digit() -> None:
    exact = '{"n": 12345678901234567890.10, "m": 1e3}'
    body = WIRE.request(
        chat(said("user", "x"), said("assistant", ToolCall(id="1", name="a", arguments=exact))), "c"
    ).body
    assert exact.encode() in body


def test_the_length_of_an_answer_that_nobody_asked_for_is_set() -> None:
    assert sent(chat(), AnthropicWire(max_tokens=7))["max_tokens"] == 7
    assert sent(chat(max_tokens=3), AnthropicWire(max_tokens=7))["max_tokens"] == 3


def test_models_that_find_their_own_budget_get_a_level() -> None:
    body = sent(chat(reasoning=Reasoning(effort="medium")), AnthropicWire(adaptive=True))
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert body["output_config"] == {"effort": "medium"}
    hidden = sent(
        chat(reasoning=Reasoning(budget=20_000, show=False), max_tokens=9), AnthropicWire(adaptive=True)
    )
    assert hidden["thinking"] == {"type": "adaptive", "display": "omitted"}
    assert (hidden["output_config"], hidden["max_tokens"]) == ({"effort": "xhigh"}, 9)


def test_models_that_take_it_get_the_systems_words_where_they_were_said() -> None:
    body = sent(CHATS["system_in_the_middle"], AnthropicWire(system_role=True))
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "system", "user"]
    assert body["messages"][2]["content"] == [{"type": "text", "text": "From now on in French."}]


def test_the_system_speaks_in_text_only() -> None:
    outbound = WIRE.request(
        chat(said("system", "x", Image(url="https://example.com/a.png")), said("user", "Hi")), "c"
    )
    assert outbound.dropped == ("system.image",)


def test_an_open_schema_is_closed_wherever_it_holds_an_object() -> None:
    inner = {"type": "object", "properties": {"b": {"type": "integer"}}}
    schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": inner}, "c": {"anyOf": [inner, {"type": "null"}]}},
    }
    found = sent(chat(output=Output(kind="schema", schema=schema)))["output_config"]["format"]["schema"]
    assert found["additionalProperties"] is False
    assert found["properties"]["a"]["items"]["additionalProperties"] is False
    assert found["properties"]["c"]["anyOf"][0]["additionalProperties"] is False
    assert "additionalProperties" not in inner


def test_thoughts_that_were_changed_on_the_way_stay_here_and_with_them_the_wish_to_think() -> None:
    thought = Thinking(text="***", origin="anthropic")
    call = ToolCall(id="1", name="search", arguments="{}")
    loop = (said("user", "x"), said("assistant", thought, call), said("user", ToolResult(call_id="1")))
    chat = Chat(
        origin="anthropic", model="m", messages=loop, max_tokens=9_000, reasoning=Reasoning(budget=2_000)
    )
    outbound = WIRE.request(chat, "claude")
    assert outbound.dropped == ("thinking", "reasoning")
    body = msgspec.json.decode(outbound.body)
    assert "thinking" not in body
    assert [block["type"] for block in body["messages"][1]["content"]] == ["tool_use"]
