"""Calls, results, documents and thoughts as Bedrock's blocks."""

from typing import Any

import pytest

from llm_gateway.chat.parts import File, Foreign, Image, Refusal, Text, Thinking, ToolCall, ToolResult
from shared.errors import BadRequest
from tests.llm_gateway.formats.bedrock.samples import dropped, say, sent

ASKED = say("user", "Weather?")


def call(id: str = "call_1", arguments: str = '{"city":"Rome"}', **more: Any) -> ToolCall:
    return ToolCall(id=id, name="weather", arguments=arguments, **more)


def result(id: str = "call_1", *content: Any, **more: Any) -> ToolResult:
    return ToolResult(call_id=id, content=content, **more)


def contents(*messages: Any) -> list[Any]:
    return [message["content"] for message in sent(*messages)["messages"]]


def test_all_results_stand_in_one_message_and_in_front() -> None:
    turns = contents(
        ASKED,
        say("assistant", call("a"), call("b")),
        say("user", "And:", result("a", Text(text="hot"))),
        say("user", result("b", Text(text="cold"))),
    )
    assert [next(iter(block)) for block in turns[2]] == ["toolResult", "toolResult", "text"]
    assert turns[2][1] == {"toolResult": {"toolUseId": "b", "content": [{"text": "cold"}]}}


def test_a_cache_point_stays_behind_its_part() -> None:
    turns = contents(
        say("user", Text(text="Long", cache_point=True)),
        say("assistant", call()),
        say("user", "And", result("call_1", Text(text="hot"), cache_point=True)),
    )
    assert turns[0][1] == {"cachePoint": {"type": "default"}}
    assert [next(iter(block)) for block in turns[2]] == ["toolResult", "cachePoint", "text"]


def test_arguments_go_digit_for_digit() -> None:
    body = sent(ASKED, say("assistant", call(arguments='{"n": 12345678901234567890.10, "a": 1e2}')))
    assert body["messages"][1]["content"][0]["toolUse"]["input"]["n"] == 12345678901234567890.10


@pytest.mark.parametrize("text", ["", " "])
def test_a_call_without_arguments_has_an_empty_object(text: str) -> None:
    assert contents(ASKED, say("assistant", call(arguments=text)))[1][0]["toolUse"]["input"] == {}


@pytest.mark.parametrize("text", ['{"city":', "[1]", "null", "plain"])
def test_arguments_that_are_no_object_become_the_member_of_one(text: str) -> None:
    assert contents(ASKED, say("assistant", call(arguments=text)))[1][0]["toolUse"]["input"] == {
        "input": text
    }


def test_a_custom_tools_text_is_a_member_too() -> None:
    block = contents(ASKED, say("assistant", call(arguments='{"a":1}', custom=True)))[1][0]
    assert block["toolUse"]["input"] == {"input": '{"a":1}'}


@pytest.mark.parametrize("id", ["call.1:2", "x" * 65, "ä", "", "fc_\ud800"])
def test_an_id_of_another_kind_is_the_same_for_call_and_result(id: str) -> None:
    turns = contents(ASKED, say("assistant", call(id)), say("user", result(id, Text(text="hot"))))
    made = turns[1][0]["toolUse"]["toolUseId"]
    assert turns[2][0]["toolResult"]["toolUseId"] == made
    assert 0 < len(made) <= 64
    assert made.isascii()


def test_ids_that_differ_stay_different() -> None:
    turns = contents(ASKED, say("assistant", call("a.b"), call("a:b"), call("a_b")))
    assert len({block["toolUse"]["toolUseId"] for block in turns[1]}) == 3


def test_a_tools_name_that_it_cannot_have_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"get\.weather"):
        sent(ASKED, say("assistant", ToolCall(id="a", name="get.weather")))


def test_a_failed_call_says_so() -> None:
    turns = contents(
        ASKED, say("assistant", call()), say("user", result("call_1", Text(text="no"), is_error=True))
    )
    assert turns[2][0]["toolResult"]["status"] == "error"


def test_a_result_that_says_nothing_is_an_empty_object() -> None:
    turns = contents(ASKED, say("assistant", call()), say("user", result("call_1", Text(text=""))))
    assert turns[2][0]["toolResult"]["content"] == [{"json": {}}]


def test_images_and_documents_in_results() -> None:
    picture, paper = Image(data="iVBORw0"), File(data="JVBE", media_type="application/pdf", name="a.pdf")
    turns = contents(ASKED, say("assistant", call()), say("user", result("call_1", picture, paper)))
    assert turns[2][0]["toolResult"]["content"] == [
        {"image": {"format": "png", "source": {"bytes": "iVBORw0"}}},
        {"document": {"format": "pdf", "name": "a", "source": {"bytes": "JVBE"}}},
    ]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("q3_report.final.pdf", "q3 report final"),
        ("", "document"),
        ("näme  (2) [x].pdf", "n me (2) [x]"),
        ("...", "document"),
    ],
)
def test_documents_have_names_such_as_it_takes(name: str, title: str) -> None:
    [block] = contents(say("user", File(data="JVBE", media_type="application/pdf", name=name)))[0]
    assert block["document"]["name"] == title


def test_no_two_documents_have_the_same_name() -> None:
    paper = File(data="JVBE", media_type="application/pdf", name="a.pdf")
    blocks = contents(say("user", paper, paper, paper))[0]
    assert [block["document"]["name"] for block in blocks] == ["a", "a 2", "a 3"]


def test_a_documents_kind_may_stand_in_its_name() -> None:
    [block] = contents(say("user", File(data="AAAA", name="notes.md")))[0]
    assert block["document"]["format"] == "md"


def test_an_image_that_came_as_a_file() -> None:
    [block] = contents(say("user", File(data="iVBORw0", media_type="image/png", name="a.png")))[0]
    assert block == {"image": {"format": "png", "source": {"bytes": "iVBORw0"}}}


@pytest.mark.parametrize(
    ("part", "lost"),
    [
        (File(url="https://example.com/a.pdf"), "file.url"),
        (File(id="file-1"), "file.id"),
        (File(data="AAAA", media_type="application/zip"), "file.media_type"),
        (Thinking(text="hm", signature="sig", origin="anthropic"), "thinking"),
        (Thinking(text="hm"), "thinking"),
        (Foreign(origin="anthropic", kind="search_result", value={}), "search_result"),
    ],
    ids=str,
)
def test_what_it_cannot_take_is_named(part: Any, lost: str) -> None:
    assert dropped(say("user", "Hi", part)) == (lost,)


def test_its_own_thoughts_and_blocks_come_back_as_they_were() -> None:
    own = (
        Thinking(text="hm", signature="c2ln", origin="bedrock"),
        Thinking(signature="cmVk", origin="bedrock", redacted=True),
        Foreign(origin="bedrock", kind="video", value={"video": {"format": "mp4"}}),
    )
    assert contents(ASKED, say("assistant", *own))[1] == [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "cmVk"}},
        {"video": {"format": "mp4"}},
    ]


def test_a_refusal_is_text() -> None:
    assert contents(ASKED, say("assistant", Refusal(text="No.")))[1] == [{"text": "No."}]
