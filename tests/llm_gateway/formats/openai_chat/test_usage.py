"""Token counts are taken as the provider wrote them, or not at all."""

import msgspec
import pytest
from msgspec import Raw

from llm_gateway.formats.openai_chat.usage import WireUsage
from shared.ledger.entry import Usage
from tests.support.providers import USAGE


def test_cached_and_reasoning_tokens_are_read_out_of_the_details() -> None:
    raw = Raw(msgspec.json.encode(USAGE))
    assert WireUsage.read(raw) == Usage(tokens_in=20, tokens_out=8, cached=12, reasoning=3)


@pytest.mark.parametrize(
    "text",
    [
        b'{"prompt_tokens":5,"completion_tokens":2}',
        b'{"prompt_tokens":5,"completion_tokens":2,"prompt_tokens_details":null,"completion_tokens_details":{}}',
        b'{"prompt_tokens":5,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":null},"more":[1]}',
    ],
)
def test_details_may_be_missing(text: bytes) -> None:
    assert WireUsage.read(Raw(text)) == Usage(tokens_in=5, tokens_out=2)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b'{"prompt_tokens":-5}',
        b'{"prompt_tokens":"5"}',
        b'{"prompt_tokens":1e300}',
        b'"x"',
    ],
)
def test_counts_that_cannot_be_true_are_none(text: bytes) -> None:
    assert WireUsage.read(Raw(text)) is None
