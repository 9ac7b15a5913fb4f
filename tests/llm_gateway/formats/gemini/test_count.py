"""Counting tokens in Gemini's words, both ways."""

import msgspec
import pytest

from llm_gateway.formats.gemini import count
from shared.errors import BadRequest, UpstreamBroken

CONTENTS = [{"parts": [{"text": "hi"}]}]


@pytest.mark.parametrize(
    "given",
    [
        {"contents": CONTENTS},
        {"generateContentRequest": {"contents": CONTENTS}},
        {"generate_content_request": {"contents": CONTENTS}},
    ],
)
def test_what_is_to_be_counted_is_a_request_to_generate(given: object) -> None:
    assert msgspec.json.decode(count.read(msgspec.json.encode(given))) == {"contents": CONTENTS}


@pytest.mark.parametrize(
    "wrong",
    [b"", b"[]", b"{}", b'{"generateContentRequest":3}', b'{"contents":[],"generateContentRequest":{}}'],
)
def test_what_counts_nothing_is_refused(wrong: bytes) -> None:
    with pytest.raises(BadRequest):
        count.read(wrong)


def test_a_provider_is_asked_about_the_whole_request() -> None:
    asked = msgspec.json.decode(count.request(msgspec.json.encode({"contents": CONTENTS}), "m"))
    assert asked == {"generateContentRequest": {"contents": CONTENTS, "model": "models/m"}}


def test_counts_go_both_ways() -> None:
    assert count.counted(count.reply(7)) == 7


@pytest.mark.parametrize("wrong", [b"", b"{}", b'{"totalTokens":-1}', b'{"totalTokens":"x"}'])
def test_what_is_no_count_is_broken(wrong: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        count.counted(wrong)
