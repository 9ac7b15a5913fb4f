"""Every failure in Anthropic's words, read back by what the official client reads."""

import msgspec
import pytest
from anthropic.types.shared import ErrorResponse

from shared import errors, sse
from shared.dialects.anthropic import Anthropic, moment
from shared.errors import GatestackError, UpstreamRefused
from shared.limits.lease import Lease
from shared.limits.plan import Estimate, plan
from shared.limits.rule import LimitRule
from tests.shared.dialects.test_openai import every_error
from tests.support.clock import FakeClock

NOON = 1_790_000_000.0
DIALECT = Anthropic(FakeClock(NOON))


@pytest.mark.parametrize("error", every_error(), ids=lambda error: type(error).__name__)
def test_every_error_is_one_that_the_official_client_knows_and_never_its_cause(error: GatestackError) -> None:
    status, headers, body = DIALECT.refusal(error, "call-1")
    said = msgspec.json.decode(body)
    assert status == error.status
    assert dict(headers)[b"content-type"] == b"application/json"
    assert dict(headers)[b"request-id"] == b"call-1"
    assert (said["type"], said["request_id"], said["error"]["message"]) == (
        "error",
        "call-1",
        "what is wrong",
    )
    if status != 413:  # its type is in Anthropic's documentation, but not in the client's types
        assert ErrorResponse.model_validate(said).request_id == "call-1"
    assert b"secret" not in body
    event = DIALECT.event(error, "call-1")
    assert event.startswith(b"event: error\ndata: ")
    assert msgspec.json.decode(sse.data_of(event)) == said


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.BadRequest("x"), "invalid_request_error"),
        (errors.Unauthenticated("x"), "authentication_error"),
        (errors.Forbidden("x"), "permission_error"),
        (errors.Killed("x"), "permission_error"),
        (errors.NotFound("x"), "not_found_error"),
        (errors.MethodNotAllowed("x"), "invalid_request_error"),
        (errors.TooLarge("x"), "request_too_large"),
        (errors.LimitExceeded("x"), "rate_limit_error"),
        (errors.BudgetExceeded("x"), "rate_limit_error"),
        (errors.UpstreamTimeout("x"), "timeout_error"),
        (errors.UpstreamBroken("x"), "api_error"),
        (errors.Unavailable("x"), "api_error"),
        (errors.Fault("x"), "api_error"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_failure_is_called_what_anthropic_calls_it(error: GatestackError, kind: str) -> None:
    assert msgspec.json.decode(DIALECT.refusal(error, "")[2])["error"]["type"] == kind


@pytest.mark.parametrize(
    ("upstream", "shown", "kind"),
    [
        (429, 429, "rate_limit_error"),
        (529, 529, "overloaded_error"),
        (503, 503, "api_error"),
        (504, 504, "timeout_error"),
        (500, 502, "api_error"),
        (408, 502, "api_error"),
    ],
)
def test_a_busy_provider_is_told_from_a_broken_one(upstream: int, shown: int, kind: str) -> None:
    error = UpstreamRefused("x", upstream_status=upstream, retryable=True, retry_after=2.2)
    status, headers, body = DIALECT.refusal(error, "")
    assert (status, dict(headers)[b"retry-after"]) == (shown, b"3")
    assert msgspec.json.decode(body)["error"]["type"] == kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (413, "request_too_large"), (422, "invalid_request_error")],
)
def test_what_the_caller_can_repair_keeps_its_status(status: int, kind: str) -> None:
    error = UpstreamRefused("too long", upstream_status=status, retryable=False)
    shown, _, body = DIALECT.refusal(error, "")
    assert (shown, msgspec.json.decode(body)["error"]) == (status, {"type": kind, "message": "too long"})


def test_a_providers_own_refusal_goes_on_as_it_is() -> None:
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long"}}'
    error = UpstreamRefused("x", upstream_status=400, body=body, retryable=False)
    assert DIALECT.refusal(error, "")[::2] == (400, body)


def test_a_providers_words_in_a_stream_stay_one_event() -> None:
    body = b'{\n  "type": "error"\r\n}'
    error = UpstreamRefused("x", upstream_status=500, body=body, retryable=False)
    [event] = sse.SseSplitter().feed(DIALECT.event(error, ""))
    assert event.startswith(b"event: error\n")
    assert msgspec.json.decode(sse.data_of(event)) == {"type": "error"}


def test_who_is_unknown_is_asked_for_a_bearer() -> None:
    _, headers, _ = DIALECT.refusal(errors.Unauthenticated("no credentials"), "")
    assert (b"www-authenticate", b"Bearer") in headers


def test_a_limit_that_was_reached_is_named_in_the_rate_limit_headers() -> None:
    data = {"unit": "tokens_in", "amount": 100, "remaining": 3, "reset_s": 63}
    _, headers, _ = DIALECT.refusal(errors.LimitExceeded("x", retry_after=63, data=data), "")
    found = dict(headers)
    assert found[b"retry-after"] == b"63"
    assert found[b"anthropic-ratelimit-input-tokens-limit"] == b"100"
    assert found[b"anthropic-ratelimit-input-tokens-remaining"] == b"3"
    assert found[b"anthropic-ratelimit-input-tokens-reset"].decode() == moment(NOON + 63)
    assert b"x-should-retry" not in found


def test_a_client_is_told_not_to_repeat_what_waiting_will_not_cure() -> None:
    for error in (errors.BudgetExceeded("spent"), errors.LimitExceeded("never", data={"unit": "micros"})):
        assert (b"x-should-retry", b"false") in DIALECT.refusal(error, "")[1]


def test_half_a_character_in_a_detail_is_no_mistake_of_ours() -> None:
    _, _, body = DIALECT.refusal(errors.BadRequest("the model '\ud800' does not exist"), "")
    assert "does not exist" in msgspec.json.decode(body)["error"]["message"]


def test_rate_limit_headers_say_what_is_left() -> None:
    rules = [LimitRule(name="r", per="key", unit="requests", amount=10)]
    lease = Lease(id="1", tenant="t", chain="c", plan=plan(rules, {}, Estimate()), counts=(9, 30))
    assert dict(DIALECT.rate_headers(lease)) == {
        b"anthropic-ratelimit-requests-limit": b"10",
        b"anthropic-ratelimit-requests-remaining": b"9",
        b"anthropic-ratelimit-requests-reset": moment(NOON + 30).encode(),
    }


def test_without_limits_there_are_no_rate_limit_headers() -> None:
    lease = Lease(id="1", tenant="t", chain="c", plan=plan([], {}, Estimate()))
    assert DIALECT.rate_headers(lease) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1970-01-01T00:00:00Z"), (1_790_000_000.2, "2026-09-21T14:13:21Z"), (1e18, "9999-12-31T23:59:59Z")],
)
def test_time_is_written_as_anthropic_writes_it(seconds: float, text: str) -> None:
    assert moment(seconds) == text
