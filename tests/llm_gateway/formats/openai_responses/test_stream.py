"""Reading along with a provider's own Responses: nothing changes, however the bytes arrive."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.formats.openai_responses.stream import ResponsesStream, whole
from llm_gateway.formats.openai_responses.usage import usage_of
from shared.errors import UpstreamBroken, UpstreamRefused
from shared.ledger.entry import Usage
from tests.llm_gateway.formats.openai_chat.samples import cut_up
from tests.support.responses_provider import call, events, message, reasoning, response, wire

COUNTED = Usage(tokens_in=20, tokens_out=8, cached=12, reasoning=3)
STREAM = wire(
    events(reasoning("Hm"), message('It says "error": response.completed [DONE] \\u0041'), call("f", "{}"))
)


@given(st.lists(st.integers(0, 10_000), max_size=12), st.sampled_from([b"\n", b"\r\n"]))
def test_a_stream_passes_as_it_is(borders: list[int], newline: bytes) -> None:
    sent = STREAM.replace(b"\n", newline)
    reader = ResponsesStream()
    assert b"".join(reader.feed(part) for part in cut_up(sent, borders)) == sent
    assert reader.done
    assert reader.usage == COUNTED
    assert reader.fault is None


def test_what_comes_after_the_end_is_dropped() -> None:
    reader = ResponsesStream()
    assert reader.feed(STREAM + b"data: [DONE]\n\n") == STREAM


@pytest.mark.parametrize("kept", [0, 1, 5])
def test_a_stream_that_ends_early_is_broken(kept: int) -> None:
    reader = ResponsesStream()
    reader.feed(wire(events()[:kept]))
    reader.end()
    assert isinstance(reader.fault, UpstreamBroken)


@pytest.mark.parametrize("data", [b"garbage", b"{}", b"[1]", b'{"choices":[]}'])
def test_a_first_event_that_is_none_of_a_response_is_broken(data: bytes) -> None:
    reader = ResponsesStream()
    assert reader.feed(b"data: " + data + b"\n\n") == b""
    assert isinstance(reader.fault, UpstreamBroken)


def test_a_failure_is_kept_in_the_providers_words() -> None:
    reader, first = ResponsesStream(), wire(events()[:2])
    failed = {"type": "response.failed", "response": response(status="failed", error={"message": "no"})}
    assert reader.feed(first + wire([failed])) == first
    assert isinstance(reader.fault, UpstreamRefused)
    assert msgspec.json.decode(reader.fault.body) == failed


def test_without_a_count_tokens_are_guessed() -> None:
    reader = ResponsesStream()
    reader.feed(wire(events()[:2]))
    for _ in range(50):
        reader.feed(wire([{"type": "response.output_text.delta", "delta": "word", "output_index": 0}]))
    assert reader.estimate() == 50


def test_a_whole_reply_has_its_usage() -> None:
    assert usage_of(whole(msgspec.json.encode(response())).usage) == COUNTED
    assert usage_of(whole(msgspec.json.encode(response(usage=None))).usage) is None


@pytest.mark.parametrize("code", ["server_error", "rate_limit_exceeded"])
def test_what_failed_and_may_succeed_elsewhere_is_a_fault(code: str) -> None:
    with pytest.raises(UpstreamRefused):
        whole(msgspec.json.encode(response(status="failed", error={"code": code, "message": "x"})))


def test_what_failed_for_good_is_an_answer() -> None:
    failed = response(status="failed", error={"code": "invalid_image", "message": "x"})
    assert whole(msgspec.json.encode(failed)).status == "failed"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b"[" * 100_000], ids=lambda body: str(body[:9])
)
def test_a_whole_reply_that_is_no_response_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        whole(body)
