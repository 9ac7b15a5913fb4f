"""What is read out of a Responses request, what is refused, and how little of it changes on its way on."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from llm_gateway.ask import Ask
from llm_gateway.formats.openai_responses import OpenAIResponses, OpenAIResponsesWire
from llm_gateway.formats.openai_responses.references import item_id
from llm_gateway.formats.openai_responses.refused import refuse_names
from shared.errors import BadRequest

FORMAT, WIRE = OpenAIResponses(), OpenAIResponsesWire()
REMOTE = {"type": "mcp", "server_label": "x", "server_url": "http://169.254.169.254/"}
words = st.text(min_size=1, max_size=12)


def read(**members: object) -> Ask:
    return FORMAT.read(body(**members), {})


def body(**members: object) -> bytes:
    return msgspec.json.encode({"model": "fast", "input": "hi"} | members)


def test_what_the_stages_need_is_read() -> None:
    ask = read(stream=True, max_output_tokens=7, instructions="word " * 800)
    assert (ask.model, ask.stream, ask.tokens_out) == ("fast", True, 7)
    assert 1_000 <= ask.tokens_in <= 1_010


def test_each_call_gets_an_id_of_its_own() -> None:
    assert read().id != read().id
    assert read().id.startswith("resp_")


def test_only_the_name_of_the_model_changes() -> None:
    written = b'{ "input" : "caf\\u00e9" ,\n "model" : "fast", "unknown":1e2 }'
    ask = FORMAT.read(written, {})
    assert FORMAT.body_for(ask, "real", count=True) == written.replace(b'"fast"', b'"real"')
    assert FORMAT.body_for(ask, "fast", count=True) is ask.body


def test_a_name_of_ours_does_not_reach_a_provider() -> None:
    sent = FORMAT.body_for(read(previous_response_id="resp_gs0"), "fast", count=True)
    assert msgspec.json.decode(sent)["previous_response_id"] is None
    theirs = FORMAT.body_for(read(previous_response_id="resp_0"), "fast", count=True)
    assert msgspec.json.decode(theirs)["previous_response_id"] == "resp_0"


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": 5}, "model"),
        ({"input": None}, "input"),
        ({"input": {}}, "input"),
        ({"stream": 1}, "stream"),
        ({"max_output_tokens": -1}, "max_output_tokens"),
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"tools": [REMOTE]}, "tools"),
        ({"tools": [{"type": "mcp", "server_label": "x", "connector_id": "c"}]}, "tools"),
        ({"tools": [{"type": "namespace", "tools": [REMOTE]}]}, "tools"),
        ({"input": [{"type": "additional_tools", "tools": [REMOTE]}]}, "input"),
    ],
    ids=str,
)
def test_what_is_not_allowed_is_refused_by_its_name(members: dict[str, object], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(**members)
    assert caught.value.data == {"param": param}
    assert param in caught.value.detail


@pytest.mark.parametrize(
    "item",
    [
        {"type": "item_reference", "id": "msg_1"},
        {"id": "msg_1"},
        {"type": "", "id": "msg_1"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]},
        {"type": "image_generation_call", "id": "ig_1"},
        {"type": "compaction", "id": "cmp_1"},
        5,
    ],
    ids=str,
)
def test_what_is_only_named_is_refused_where_nobody_knows_whose_it_is(item: object) -> None:
    with pytest.raises(BadRequest) as caught:
        refuse_names({"input": Raw(msgspec.json.encode([item]))})
    assert caught.value.data == {"param": "input[0]"}


@pytest.mark.parametrize(
    "item",
    [
        {"role": "user", "content": "x"},
        {"type": "message", "role": "assistant", "id": "msg_1", "content": []},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c"},
        {"type": "reasoning", "id": "rs_1", "content": [{"type": "reasoning_text", "text": "Hm"}]},
        {"type": "reasoning", "id": item_id("resp_gs" + "0" * 26, "rs", 0), "summary": []},
        {"type": "reasoning", "summary": []},
        {"type": "image_generation_call", "id": "ig_1", "result": "aW1n"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
    ],
    ids=str,
)
def test_what_is_sent_whole_is_no_name(item: object) -> None:
    refuse_names({"input": Raw(msgspec.json.encode([item]))})


def test_a_remote_tool_is_found_however_it_is_written() -> None:
    written = body(tools=[REMOTE]).replace(b'"mcp"', b'"\\u006dcp"')
    with pytest.raises(BadRequest):
        FORMAT.read(written, {})


def test_remote_tools_pass_where_the_operator_lets_them() -> None:
    asked = OpenAIResponses(remote_tools=True).read(body(tools=[REMOTE]), {})
    chat = FORMAT.chat(asked)
    assert msgspec.json.decode(WIRE.request(chat, "fast").body)["tools"] == [REMOTE]


def test_words_about_mcp_are_only_words() -> None:
    assert read(input=[{"role": "user", "content": 'what is {"type":"mcp"}?'}]).model == "fast"


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"input": [{"role": "king", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": 5}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0]"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0]"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": 5}]}, "input[0].output"),
        ({"tools": [{"name": "x"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0]"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"temperature": "hot"}, "temperature"),
    ],
    ids=str,
)
def test_what_cannot_be_understood_is_refused_by_its_name(members: dict[str, object], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        FORMAT.chat(read(**members))
    assert caught.value.data == {"param": param}


users = st.builds(lambda text: {"role": "user", "content": text}, words)
models = st.builds(
    lambda texts: {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text} for text in texts],
    },
    st.lists(words, min_size=1, max_size=2),
)
thoughts = st.builds(
    lambda text, content: {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text}],
        "encrypted_content": content,
    },
    words,
    words.filter(lambda text: not text.startswith("gatestack:")),
)
calls = st.builds(
    lambda id, name, text: {"type": "function_call", "call_id": id, "name": name, "arguments": text},
    words,
    words,
    words,
)
outputs = st.builds(
    lambda id, text: {"type": "function_call_output", "call_id": id, "output": text}, words, words
)
hosted = st.builds(lambda id: {"type": "web_search_call", "id": id, "status": "completed"}, words)


@given(st.lists(st.one_of(users, thoughts, calls, outputs, hosted), max_size=6), st.booleans())
def test_nothing_is_lost_on_the_way_through_the_neutral_form(sent: list[Any], stream: bool) -> None:
    members = {"input": sent, "max_output_tokens": 5} | ({"stream": True} if stream else {})
    found = WIRE.request(FORMAT.chat(read(**members)), "fast")
    assert msgspec.json.decode(found.body) == {"model": "fast"} | members
    assert found.dropped == ()


@given(models)
def test_what_a_model_said_in_one_message_stays_one(sent: Any) -> None:
    found = WIRE.request(FORMAT.chat(read(input=[sent])), "fast")
    assert msgspec.json.decode(found.body)["input"] == [sent]
