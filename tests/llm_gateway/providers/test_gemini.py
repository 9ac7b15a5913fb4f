"""How the Gemini API is called, and what its refusals mean here."""

from typing import Any

import httpx
import msgspec
import pytest

from llm_gateway.config import KeySection, ProviderSection
from llm_gateway.providers.gemini import GeminiProvider
from shared.config import Secret
from shared.http_client import Reply
from tests.support import gemini_provider as google

KEY = "AIzaSy-0123456789abcdef"


def provider(**fields: Any) -> GeminiProvider:
    return GeminiProvider("google", ProviderSection(**{"kind": "gemini", "key": Secret(KEY), **fields}))


def reply(status: int, **headers: str) -> Reply:
    return Reply(httpx.Response(status, headers={k.replace("_", "-"): v for k, v in headers.items()}), None)


def body(code: int, status: str, message: str = "scripted", **more: str) -> bytes:
    return google.written(google.error(code, status, message, **more))


def test_model_and_manner_stand_in_the_address() -> None:
    whole = provider().address("gemini", "gemini-2.5-pro", stream=False)
    stream = provider().address("gemini", "gemini-2.5-pro", stream=True)
    place = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro"
    assert (whole, stream) == (place + ":generateContent", place + ":streamGenerateContent?alt=sse")


@pytest.mark.parametrize(
    ("base_url", "place"),
    [
        ("https://proxy.example/google/", "https://proxy.example/google/v1beta/models/m"),
        ("https://proxy.example/v1", "https://proxy.example/v1/models/m"),
        ("https://proxy.example/v1alpha", "https://proxy.example/v1alpha/models/m"),
    ],
)
def test_another_address_may_say_its_version(base_url: str, place: str) -> None:
    assert provider(base_url=base_url).place("m") == place


def test_a_models_name_cannot_leave_its_place_in_the_address() -> None:
    assert provider().place("a?b#c:d").endswith("/v1beta/models/a%3Fb%23c%3Ad")
    assert provider().place("tunedModels/mine").endswith("/v1beta/tunedModels/mine")


def test_the_key_is_a_header_and_never_in_the_address() -> None:
    made = provider()
    address = made.address("gemini", "m", stream=True)
    sent = dict(made.headers([(b"x-passed", b"1")], address=address, body=b""))
    assert KEY not in address
    assert (sent[b"x-goog-api-key"], sent[b"x-passed"]) == (KEY.encode(), b"1")
    assert b"authorization" not in sent


def test_several_keys_take_turns() -> None:
    made = provider(key=Secret(""), keys=[KeySection(key=Secret("key-a")), KeySection(key=Secret("key-b"))])
    sent = [dict(made.headers([], address="", body=b""))[b"x-goog-api-key"] for _ in range(4)]
    assert sorted(sent) == [b"key-a", b"key-a", b"key-b", b"key-b"]


def test_what_the_caller_can_repair_reaches_it_in_googles_words() -> None:
    said = body(400, "INVALID_ARGUMENT", "contents is not specified")
    error = provider().refusal(reply(400), said)
    assert (error.retryable, error.upstream_status, error.body) == (False, 400, said)
    assert "contents is not specified" in error.detail
    assert error.data == {"code": "INVALID_ARGUMENT"}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, body(400, "INVALID_ARGUMENT", "API key not valid", reason="API_KEY_INVALID")),
        (400, body(400, "FAILED_PRECONDITION", "User location is not supported")),
        (401, body(401, "UNAUTHENTICATED")),
        (403, body(403, "PERMISSION_DENIED", "billing disabled", reason="BILLING_DISABLED")),
        (404, body(404, "NOT_FOUND", "models/x is not found")),
    ],
)
def test_what_only_the_operator_can_repair_is_our_fault_and_may_go_elsewhere(
    status: int, said: bytes
) -> None:
    error = provider().refusal(reply(status), said)
    assert (error.retryable, error.upstream_status, error.body) == (True, 502, b"")
    assert error.detail == "the provider refused this gateway"


@pytest.mark.parametrize(
    ("said", "headers", "wait"),
    [
        (body(429, "RESOURCE_EXHAUSTED", retry="33.25s"), {}, 33.25),
        (body(429, "RESOURCE_EXHAUSTED", retry="33s"), {"retry_after": "4"}, 33.0),
        (body(429, "RESOURCE_EXHAUSTED"), {"retry_after": "4"}, 4.0),
        (body(429, "RESOURCE_EXHAUSTED", retry="soon"), {}, None),
        (b"<html>", {}, None),
    ],
)
def test_a_used_up_quota_may_go_elsewhere_and_says_when_it_is_back(
    said: bytes, headers: dict[str, str], wait: float | None
) -> None:
    error = provider().refusal(reply(429, **headers), said)
    assert (error.retryable, error.upstream_status, error.retry_after) == (True, 429, wait)


@pytest.mark.parametrize("status", [500, 503, 504])
def test_what_may_pass_may_go_elsewhere(status: int) -> None:
    error = provider().refusal(reply(status), body(status, "UNAVAILABLE"))
    assert (error.retryable, error.upstream_status) == (True, status)


@pytest.mark.parametrize(
    "quoted",
    [
        f"key {KEY} is wrong",
        f"GET /v1beta/models?key={KEY}&alt=sse",
        "POST https://x/v1?key=some-other-key failed",
        "authorization: Bearer ya29.a0AfH6SMBx-0123456789",
    ],
)
def test_credentials_are_not_quoted_back(quoted: str) -> None:
    error = provider().refusal(reply(400), body(400, "INVALID_ARGUMENT", quoted))
    for secret in (KEY, "some-other-key", "ya29"):
        assert secret not in error.detail
        assert secret.encode() not in error.body
    assert msgspec.json.decode(error.body)["error"]["code"] == 400
