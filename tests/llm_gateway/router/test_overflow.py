"""What each provider says when a request is too long, or not to its liking."""

import pytest

from llm_gateway.router.overflow import is_content, is_overflow, named
from shared.errors import UpstreamRefused, UpstreamTimeout

TOO_LONG = {
    "openai": b'{"error":{"message":"too long","code":"context_length_exceeded"}}',
    "anthropic": b'{"error":{"message":"prompt is too long: 209303 tokens > 200000 maximum"}}',
    "anthropic, both": b'{"error":{"message":"input length and `max_tokens` exceed context limit: 17 + 4"}}',
    "gemini": b'{"error":{"message":"The input token count (1251000) exceeds the maximum number of tokens"}}',
    "bedrock": b'{"message":"Input is too long for requested model."}',
    "bedrock, claude": b'{"message":"The model returned the following errors: prompt is too long: 9 > 8"}',
    "vllm": b'{"object":"error","message":"This model\'s maximum context length is 4096 tokens."}',
    "llama.cpp": b'{"error":{"message":"request exceeds the available context size","type":"x"}}',
    "groq": b'{"error":{"message":"Please reduce the length of the messages or completion."}}',
    "mistral": b'{"message":"Prompt too large for model with 32768 maximum context length"}',
    "cohere": b'{"message":"too many tokens: total number of tokens in the prompt cannot exceed 4081"}',
    "xai": b'{"error":"This model\'s maximum prompt length is 131072"}',
}
NOT_LIKED = {
    "azure": b'{"error":{"code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}',
    "openai": b'{"error":{"code":"content_policy_violation","message":"Your request was rejected"}}',
    "anthropic": b'{"error":{"message":"Output blocked by content filtering policy"}}',
}
NEITHER = {
    "another bad request": b'{"error":{"message":"temperature must be at most 2","code":"invalid_value"}}',
    "rate": b'{"error":{"message":"Rate limit reached for tokens per min"}}',
    "nothing": b"",
}


def refused(body: bytes, status: int = 400) -> UpstreamRefused:
    return UpstreamRefused("the provider refused", upstream_status=status, body=body, retryable=False)


@pytest.mark.parametrize("provider", TOO_LONG)
def test_a_request_that_is_too_long_is_recognised(provider: str) -> None:
    error = refused(TOO_LONG[provider])
    assert (is_overflow(error), is_content(error)) == (True, False)


@pytest.mark.parametrize("provider", NOT_LIKED)
def test_a_request_that_is_not_liked_is_recognised(provider: str) -> None:
    error = refused(NOT_LIKED[provider])
    assert (is_overflow(error), is_content(error)) == (False, True)


@pytest.mark.parametrize("what", NEITHER)
def test_other_refusals_are_neither(what: str) -> None:
    error = refused(NEITHER[what])
    assert (is_overflow(error), is_content(error)) == (False, False)


def test_a_provider_that_is_busy_is_not_asked_what_its_words_mean() -> None:
    assert not is_overflow(refused(TOO_LONG["openai"], status=429))
    assert not is_overflow(UpstreamTimeout("prompt is too long"))


def test_the_words_may_stand_in_the_detail_alone() -> None:
    error = UpstreamRefused("refused: Input is too long", upstream_status=400, retryable=False)
    assert is_overflow(error)


def test_what_it_was_is_still_known_when_the_words_are_gone() -> None:
    error = refused(TOO_LONG["gemini"])
    named(error)
    error.body = b""
    assert error.data == {"code": "context_length_exceeded"}
    assert is_overflow(error)
    plain = refused(NEITHER["rate"])
    named(plain)
    assert plain.data is None
