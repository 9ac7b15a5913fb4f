"""What Anthropic is told, and what its refusals mean here."""

import httpx
import pytest

from llm_gateway.config import ProviderSection
from llm_gateway.providers.anthropic import AnthropicProvider
from shared.config import Secret
from shared.http_client import Reply
from tests.support.anthropic_provider import error_body

KEY = "sk-ant-provider-1234567890"
HOME = "https://api.anthropic.com/v1/messages"


def provider(**fields: object) -> AnthropicProvider:
    section = {"kind": "anthropic", "key": Secret(KEY)} | fields
    return AnthropicProvider("example", ProviderSection(**section))  # type: ignore[arg-type]


def headers(of: AnthropicProvider, *passed: tuple[bytes, bytes]) -> dict[bytes, bytes]:
    found = of.headers(list(passed), address=HOME, body=b"{}")
    assert len(dict(found)) == len(found)
    return dict(found)


def reply(status: int, **headers: str) -> Reply:
    return Reply(httpx.Response(status, headers={k.replace("_", "-"): v for k, v in headers.items()}), None)


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("", HOME),
        ("https://api.example", "https://api.example/v1/messages"),
        ("https://api.example/v1/", "https://api.example/v1/messages"),
        ("https://api.example/anthropic/", "https://api.example/anthropic/v1/messages"),
    ],
)
def test_a_call_goes_to_the_path_that_all_of_them_have(base_url: str, address: str) -> None:
    found = provider(base_url=base_url)
    assert found.address("anthropic", "any", stream=True) == address
    assert found.count_address() == address + "/count_tokens"


def test_the_key_goes_out_as_anthropic_wants_it_unless_the_operator_says_otherwise() -> None:
    sent = headers(provider())
    assert sent[b"x-api-key"] == KEY.encode()
    assert b"authorization" not in sent
    named = headers(provider(key_header="authorization", key_prefix="Bearer "))
    assert named[b"authorization"] == b"Bearer " + KEY.encode()
    assert b"x-api-key" not in named
    assert b"x-api-key" not in headers(provider(key=Secret("")))


def test_a_caller_of_another_format_gets_the_version_that_takes_what_it_says() -> None:
    assert headers(provider())[b"anthropic-version"] == b"2023-06-01"


def test_a_callers_own_version_and_betas_go_on_and_nothing_else_of_it() -> None:
    passed = (
        (b"anthropic-version", b"2026-10-21"),
        (b"anthropic-beta", b"a"),
        (b"openai-beta", b"x"),
        (b"x-api-key", b"k"),
    )
    sent = headers(provider(), *passed)
    assert (sent[b"anthropic-version"], sent[b"anthropic-beta"]) == (b"2026-10-21", b"a")
    assert sent[b"x-api-key"] == KEY.encode()
    assert b"openai-beta" not in sent


def test_an_operator_may_pin_the_version_and_add_betas() -> None:
    section = {
        "anthropic-version": Secret("2023-06-01"),
        "anthropic-beta": Secret("b"),
        "x-project": Secret("p"),
    }
    sent = headers(
        provider(headers=section), (b"anthropic-version", b"2026-10-21"), (b"anthropic-beta", b"a")
    )
    assert (sent[b"anthropic-version"], sent[b"anthropic-beta"], sent[b"x-project"]) == (
        b"2023-06-01",
        b"b,a",
        b"p",
    )


@pytest.mark.parametrize("status", [301, 307, 401, 402, 403, 404, 405, 407])
def test_what_only_the_operator_can_repair_is_our_fault_and_may_go_elsewhere(status: int) -> None:
    error = provider().refusal(reply(status), error_body("authentication_error", "bad key"))
    assert (error.retryable, error.upstream_status, error.body) == (True, 502, b"")
    assert "bad key" not in error.detail


def test_an_account_without_money_is_our_fault_too_though_it_is_told_as_a_bad_request() -> None:
    words = "Your credit balance is too low to access the Anthropic API."
    error = provider().refusal(reply(400), error_body("invalid_request_error", words))
    assert (error.retryable, error.upstream_status, error.body) == (True, 502, b"")


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_may_go_elsewhere(status: int) -> None:
    error = provider().refusal(reply(status, retry_after="7"), error_body("overloaded_error"))
    assert (error.retryable, error.upstream_status, error.retry_after, error.body) == (True, status, 7.0, b"")


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_the_caller_can_repair_reaches_it_in_the_providers_words(status: int) -> None:
    body = error_body("invalid_request_error", "max_tokens: too large")
    error = provider().refusal(reply(status), body)
    assert (error.retryable, error.upstream_status, error.body) == (False, status, body)
    assert "max_tokens: too large" in error.detail


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"error":7}', b"[" * 100_000], ids=repr)
def test_words_that_are_no_error_of_its_format_are_left_out(body: bytes) -> None:
    error = provider().refusal(reply(400), body)
    assert (error.upstream_status, error.body) == (400, b"")
    assert "400" in error.detail


def test_its_credential_never_comes_back() -> None:
    error = provider().refusal(reply(400), error_body("invalid_request_error", f"bad {KEY}"))
    assert KEY.encode() not in error.body
    assert KEY not in error.detail
    assert b"***" in error.body
