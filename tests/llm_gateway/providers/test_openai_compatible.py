"""What a provider is told, and what its refusals mean here."""

import httpx
import msgspec
import pytest

from llm_gateway.config import ProviderSection
from llm_gateway.providers.openai_compatible import OpenAICompatible
from shared.config import Secret
from shared.http_client import Reply

KEY = "sk-provider-1234567890"


def provider(**fields: object) -> OpenAICompatible:
    section = {"base_url": "https://api.example/v1/", "key": Secret(KEY)} | fields
    return OpenAICompatible("example", ProviderSection(**section))  # type: ignore[arg-type]


def reply(status: int, **headers: str) -> Reply:
    return Reply(httpx.Response(status, headers={k.replace("_", "-"): v for k, v in headers.items()}), None)


def test_a_call_goes_to_the_path_that_all_of_them_have() -> None:
    assert provider().address("any") == "https://api.example/v1/chat/completions"


def test_the_key_is_a_bearer_unless_the_provider_wants_it_otherwise() -> None:
    assert (b"authorization", b"Bearer " + KEY.encode()) in provider().headers([])
    named = provider(key_header="api-key", key_prefix="").headers([])
    assert (b"api-key", KEY.encode()) in named
    assert b"authorization" not in dict(named)


def test_a_provider_without_a_key_gets_none() -> None:
    assert b"authorization" not in dict(provider(key=Secret("")).headers([]))


def test_headers_of_its_own_and_what_is_passed_go_out() -> None:
    sent = dict(provider(headers={"x-project": Secret("p-1")}).headers([(b"openai-beta", b"x")]))
    assert (sent[b"x-project"], sent[b"openai-beta"]) == (b"p-1", b"x")


@pytest.mark.parametrize("status", [301, 307, 401, 402, 403, 404, 405, 407])
def test_what_only_the_operator_can_repair_is_our_fault_and_may_go_elsewhere(status: int) -> None:
    error = provider().refusal(reply(status), b'{"error":{"message":"bad key"}}')
    assert (error.retryable, error.upstream_status, error.body) == (True, 502, b"")


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_may_go_elsewhere(status: int) -> None:
    error = provider().refusal(reply(status, retry_after="7"), b"{}")
    assert (error.retryable, error.upstream_status, error.retry_after, error.body) == (True, status, 7.0, b"")


@pytest.mark.parametrize("status", [400, 413, 415, 422, 451])
def test_what_the_caller_can_repair_reaches_it_in_the_providers_words(status: int) -> None:
    body = b'{"error":{"message":"too long"}}'
    error = provider().refusal(reply(status), body)
    assert (error.retryable, error.upstream_status, error.body) == (False, status, body)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"[" * 100_000], ids=repr)
def test_words_that_are_no_json_object_are_replaced(body: bytes) -> None:
    said = msgspec.json.decode(provider().refusal(reply(400), body).body)
    assert "400" in said["error"]["message"]


def test_its_credential_never_comes_back() -> None:
    error = provider().refusal(reply(400), b'{"error":{"message":"bad ' + KEY.encode() + b'"}}')
    assert KEY.encode() not in error.body
    assert b"***" in error.body


@pytest.mark.parametrize("text", ["", "soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_retry_after_that_is_no_number_is_none(text: str) -> None:
    assert provider().refusal(reply(429, retry_after=text), b"").retry_after is None
