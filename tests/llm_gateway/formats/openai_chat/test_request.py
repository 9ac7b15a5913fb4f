"""What is read out of an OpenAI chat request, what is refused, and how little of it changes on its way on."""

import msgspec
import pytest

from llm_gateway.ask import Ask
from llm_gateway.formats.openai_chat import OpenAIChat
from shared.errors import BadRequest

FORMAT = OpenAIChat()


def read(**members: object) -> Ask:
    return FORMAT.read(body(**members), {})


def body(**members: object) -> bytes:
    return msgspec.json.encode({"model": "fast", "messages": [{"role": "user", "content": "hi"}]} | members)


def test_what_the_stages_need_is_read() -> None:
    ask = read(stream=True, max_tokens=7, n=3, stream_options={"include_usage": True})
    assert (ask.model, ask.stream, ask.tokens_out, ask.wants_usage) == ("fast", True, 21, True)


def test_of_both_names_for_the_longest_answer_the_larger_is_set_aside() -> None:
    assert read(max_tokens=7, max_completion_tokens=9).tokens_out == 9
    assert read(max_tokens=9, max_completion_tokens=1).tokens_out == 9


def test_null_counts_as_absent() -> None:
    ask = read(stream=None, max_tokens=None, n=None, stream_options=None)
    assert (ask.stream, ask.tokens_out, ask.wants_usage) == (False, 0, False)


def test_input_is_estimated_from_the_bytes_of_messages_and_tools() -> None:
    long = [{"role": "user", "content": "word " * 2_000}]
    assert 2_500 <= read(messages=long).tokens_in <= 2_600
    assert read(tools=[{"d": "x" * 4_000}]).tokens_in > 1_000


def test_an_image_does_not_count_by_its_bytes() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0K" * 100_000}}
    assert read(messages=[{"role": "user", "content": [part]}]).tokens_in < 2_000


def test_a_recording_does_not_count_by_its_bytes() -> None:
    part = {"type": "input_audio", "input_audio": {"data": "UklGRg" * 100_000, "format": "wav"}}
    assert read(messages=[{"role": "user", "content": [part, part]}]).tokens_in < 3_500


def test_many_short_markers_are_text() -> None:
    text = ";base64, " * 10_000
    assert read(messages=[{"role": "user", "content": text}]).tokens_in > 20_000


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": 5}, "model"),
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": "x" * 300}, "model"),
        ({"messages": "hi"}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": None}, "messages"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": [], "stream": True}, "stream_options"),
        ({"stream_options": {"include_usage": "x"}, "stream": True}, "stream_options.include_usage"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_completion_tokens": 2**40}, "max_completion_tokens"),
        ({"n": 0}, "n"),
        ({"n": True}, "n"),
    ],
    ids=str,
)
def test_a_member_of_the_wrong_type_is_refused_by_its_name(members: dict[str, object], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(**members)
    assert caught.value.data == {"param": param}
    assert param in caught.value.detail


@pytest.mark.parametrize("missing", ["model", "messages"])
def test_a_member_that_must_be_there_is_asked_for(missing: str) -> None:
    members = msgspec.json.decode(body())
    del members[missing]
    with pytest.raises(BadRequest, match=missing):
        FORMAT.read(msgspec.json.encode(members), {})


def test_a_body_in_which_nothing_has_to_change_is_passed_as_it_is() -> None:
    ask = read()
    assert FORMAT.body_for(ask, "fast", count=True) is ask.body


def test_only_the_name_of_the_model_changes() -> None:
    written = (
        b'{ "messages" : [ {"role":"user","content":"caf\\u00e9"} ] ,\n "model" : "fast", "unknown":1e2 }'
    )
    sent = FORMAT.body_for(FORMAT.read(written, {}), 'real "model"', count=True)
    assert sent == written.replace(b'"fast"', b'"real \\"model\\""')


def test_usage_is_wished_for_where_a_stream_did_not() -> None:
    sent = FORMAT.body_for(read(stream=True, seed=1), "fast", count=True)
    assert msgspec.json.decode(sent)["stream_options"] == {"include_usage": True}
    assert sent.replace(b',"stream_options":{"include_usage":true}', b"") == body(stream=True, seed=1)


@pytest.mark.parametrize("options", [{}, None, {"include_usage": False}, {"include_usage": None}])
def test_options_of_the_caller_are_kept_and_only_usage_is_added(options: dict[str, object] | None) -> None:
    given = None if options is None else {"include_obfuscation": False} | options
    sent = msgspec.json.decode(FORMAT.body_for(read(stream=True, stream_options=given), "real", count=True))
    assert sent["stream_options"] == {**(given or {}), "include_usage": True}
    assert sent["model"] == "real"


def test_a_provider_that_cannot_count_streams_is_not_asked_to() -> None:
    ask = read(stream=True)
    assert FORMAT.body_for(ask, "fast", count=False) is ask.body
