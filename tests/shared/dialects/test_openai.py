"""Every failure in OpenAI's words, read back by what the official client reads."""

import msgspec
import pytest

from shared import errors, sse
from shared.dialects.openai import OpenAI, duration, rate_headers
from shared.errors import GatestackError, Reason, UpstreamRefused
from shared.limits.lease import Lease
from shared.limits.plan import Estimate, plan
from shared.limits.rule import LimitRule

DIALECT = OpenAI()


def every_error() -> list[GatestackError]:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GatestackError)
    ]
    plain = [kind for kind in kinds if kind is not UpstreamRefused]
    return [
        *(kind("what is wrong", cause="a secret") for kind in plain),
        UpstreamRefused("what is wrong", upstream_status=500, retryable=True),
    ]


@pytest.mark.parametrize("error", every_error(), ids=lambda error: type(error).__name__)
def test_every_error_has_the_four_fields_and_never_its_cause(error: GatestackError) -> None:
    status, headers, body = DIALECT.refusal(error, "call-1")
    said = msgspec.json.decode(body)["error"]
    assert status == error.status
    assert dict(headers)[b"content-type"] == b"application/json"
    assert set(said) == {"message", "type", "param", "code"}
    assert said["message"] == "what is wrong"
    assert said["type"]
    assert b"secret" not in body
    assert msgspec.json.decode(sse.data_of(DIALECT.event(error, "call-1")))["error"] == said


def test_param_and_code_of_an_error_reach_the_caller() -> None:
    error = errors.NotFound("no such model", data={"param": "model", "code": "model_not_found"})
    said = msgspec.json.decode(DIALECT.refusal(error, "")[2])["error"]
    assert (said["param"], said["code"]) == ("model", "model_not_found")


def test_who_is_unknown_is_asked_for_a_bearer() -> None:
    _, headers, _ = DIALECT.refusal(errors.Unauthenticated("no credentials"), "")
    assert (b"www-authenticate", b"Bearer") in headers


@pytest.mark.parametrize(("upstream", "shown"), [(429, 429), (503, 503), (529, 503), (500, 502), (502, 502)])
def test_a_busy_provider_is_told_from_a_broken_one(upstream: int, shown: int) -> None:
    error = UpstreamRefused("x", upstream_status=upstream, retryable=True, retry_after=2.2)
    status, headers, _ = DIALECT.refusal(error, "")
    assert (status, dict(headers)[b"retry-after"]) == (shown, b"3")


def test_a_providers_own_refusal_goes_on_as_it_is() -> None:
    body = b'{"error":{"message":"context too long","code":"context_length_exceeded"}}'
    error = UpstreamRefused("x", upstream_status=400, body=body, retryable=False)
    assert DIALECT.refusal(error, "")[::2] == (400, body)


def test_a_providers_words_in_a_stream_stay_one_event() -> None:
    error = UpstreamRefused("x", upstream_status=500, body=b'{\n  "error": {}\r\n}', retryable=False)
    [event] = sse.SseSplitter().feed(DIALECT.event(error, ""))
    assert msgspec.json.decode(sse.data_of(event)) == {"error": {}}


def test_a_limit_that_was_reached_is_named_in_the_rate_limit_headers() -> None:
    data = {"unit": "tokens_in", "amount": 100, "remaining": 3, "reset_s": 63}
    _, headers, _ = DIALECT.refusal(errors.LimitExceeded("x", retry_after=63, data=data), "")
    found = dict(headers)
    assert found[b"retry-after"] == b"63"
    assert found[b"x-ratelimit-limit-tokens"] == b"100"
    assert found[b"x-ratelimit-remaining-tokens"] == b"3"
    assert found[b"x-ratelimit-reset-tokens"] == b"1m3s"
    assert b"x-should-retry" not in found


def test_a_client_is_told_not_to_repeat_what_waiting_will_not_cure() -> None:
    for error in (errors.BudgetExceeded("spent"), errors.LimitExceeded("never")):
        assert (b"x-should-retry", b"false") in DIALECT.refusal(error, "")[1]


def test_half_a_character_in_a_detail_is_no_mistake_of_ours() -> None:
    _, _, body = DIALECT.refusal(errors.BadRequest("the model '\ud800' does not exist"), "")
    assert "does not exist" in msgspec.json.decode(body)["error"]["message"]


def test_every_reason_has_its_words() -> None:
    ours = {Reason.FAULT, Reason.CLIENT_GONE, Reason.STOPPED}
    for error in every_error():
        said = msgspec.json.decode(DIALECT.refusal(error, "")[2])["error"]
        assert (said["code"] == "internal_error") is (error.reason in ours)


def test_rate_limit_headers_say_what_is_left() -> None:
    rules = [LimitRule(name="r", per="key", unit="requests", amount=10)]
    lease = Lease(id="1", tenant="t", chain="c", plan=plan(rules, {}, Estimate()), counts=(9, 30))
    assert dict(rate_headers(lease)) == {
        b"x-ratelimit-limit-requests": b"10",
        b"x-ratelimit-remaining-requests": b"9",
        b"x-ratelimit-reset-requests": b"30s",
    }


def test_without_limits_there_are_no_rate_limit_headers() -> None:
    lease = Lease(id="1", tenant="t", chain="c", plan=plan([], {}, Estimate()))
    assert rate_headers(lease) == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.006, "6ms"), (1, "1s"), (63, "1m3s"), (3600, "1h0m0s"), (360, "6m0s")]
)
def test_time_is_written_as_openai_writes_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("upstream", [400, 413, 415, 422])
def test_what_is_wrong_with_a_request_is_told_with_the_providers_status(upstream: int) -> None:
    error = UpstreamRefused("too many words", upstream_status=upstream, retryable=False)
    status, _, body = OpenAI().refusal(error, "r")
    told = msgspec.json.decode(body)["error"]
    assert (status, told["type"], told["message"]) == (upstream, "invalid_request_error", "too many words")


@pytest.mark.parametrize("upstream", [401, 402, 403, 404, 405, 407, 408, 409, 425])
def test_what_is_wrong_between_us_and_a_provider_is_not_the_callers_fault(upstream: int) -> None:
    error = UpstreamRefused("x", upstream_status=upstream, retryable=True)
    assert OpenAI().refusal(error, "r")[0] == 502
