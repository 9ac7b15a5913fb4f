"""Errors in Google's shape."""

from typing import Any

import msgspec
import pytest

from shared.dialects.gemini import Gemini
from shared.errors import (
    BadRequest,
    Fault,
    Forbidden,
    GatestackError,
    Killed,
    LimitExceeded,
    NotFound,
    Unauthenticated,
    Unavailable,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
)

KIND = "type.googleapis.com/google.rpc."


def rendered(error: GatestackError) -> tuple[int, dict[bytes, bytes], dict[str, Any]]:
    status, headers, body = Gemini().refusal(error, "call-1")
    return status, dict(headers), msgspec.json.decode(body)["error"]


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (BadRequest("x"), 400, "INVALID_ARGUMENT"),
        (Unauthenticated("x"), 401, "UNAUTHENTICATED"),
        (Forbidden("x"), 403, "PERMISSION_DENIED"),
        (Killed("x"), 403, "PERMISSION_DENIED"),
        (NotFound("x"), 404, "NOT_FOUND"),
        (LimitExceeded("x"), 429, "RESOURCE_EXHAUSTED"),
        (UpstreamBroken("x"), 502, "UNAVAILABLE"),
        (UpstreamTimeout("x"), 504, "DEADLINE_EXCEEDED"),
        (Unavailable("x"), 503, "UNAVAILABLE"),
        (Fault("x"), 500, "INTERNAL"),
    ],
)
def test_status_and_its_name(error: GatestackError, status: int, name: str) -> None:
    found, headers, body = rendered(error)
    assert (found, body["code"], body["status"], body["message"]) == (status, status, name, "x")
    assert headers[b"content-type"].startswith(b"application/json")
    info = {"reason": str(error.reason).upper(), "domain": "gatestack", "metadata": {"call": "call-1"}}
    assert body["details"][0] == {"@type": KIND + "ErrorInfo", **info}


def test_a_wrong_member_is_named() -> None:
    _, _, body = rendered(BadRequest("too many", data={"param": "generationConfig.topK"}))
    violation = {"field": "generationConfig.topK", "description": "too many"}
    assert body["details"][1] == {"@type": KIND + "BadRequest", "fieldViolations": [violation]}


def test_a_limit_tells_what_it_is_and_when_to_come_back() -> None:
    limit = LimitExceeded("slower", retry_after=1.2, data={"unit": "requests", "amount": 5})
    _, headers, body = rendered(limit)
    assert headers[b"retry-after"] == b"2"
    quota = {"description": "slower", "quotaId": "requests", "quotaValue": "5"}
    assert body["details"][1:] == [
        {"@type": KIND + "QuotaFailure", "violations": [quota]},
        {"@type": KIND + "RetryInfo", "retryDelay": "2s"},
    ]


def test_a_providers_own_words_are_the_answer() -> None:
    words = b'{"error":{"code":400,"message":"no"}}'
    error = UpstreamRefused("refused", upstream_status=400, body=words, retryable=False)
    assert Gemini().refusal(error, "c")[::2] == (400, words)
    assert Gemini().event(error, "c") == b"data: " + words + b"\n\n"


@pytest.mark.parametrize(
    ("upstream", "status"), [(400, 400), (422, 422), (429, 429), (503, 503), (529, 503), (500, 502)]
)
def test_a_providers_refusal_in_our_words_keeps_what_the_caller_can_act_on(
    upstream: int, status: int
) -> None:
    error = UpstreamRefused("refused", upstream_status=upstream, retryable=False)
    found, _, body = rendered(error)
    assert (found, body["code"], body["message"]) == (status, status, "refused")


def test_the_end_of_a_broken_stream_is_an_error_event() -> None:
    event = Gemini().event(UpstreamBroken("cut"), "call-1")
    assert event.startswith(b'data: {"error":')
    assert event.endswith(b"\n\n")
    assert event.count(b"\n") == 2


def test_half_a_character_is_replaced() -> None:
    _, _, body = rendered(BadRequest("bad \ud83d", data={"param": "contents"}))
    assert body["message"] == "bad ?"
