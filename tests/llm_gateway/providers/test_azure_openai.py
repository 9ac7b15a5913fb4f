"""Azure's two kinds of address, its credentials and its content filter."""

import httpx
import msgspec
import pytest

from llm_gateway.config import KeySection, ProviderSection, Section, problems
from llm_gateway.providers.azure_openai import AzureOpenAI
from shared.config import Secret
from shared.http_client import Reply

KEY = "azure-key-1234567890"
HOST = "https://mine.openai.azure.com"
FILTERED = msgspec.json.encode(
    {
        "error": {
            "message": "The response was filtered due to the prompt triggering a content policy.",
            "type": None,
            "param": "prompt",
            "code": "content_filter",
            "status": 400,
            "innererror": {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {
                    "hate": {"filtered": False, "severity": "safe"},
                    "violence": {"filtered": True, "severity": "medium"},
                    "jailbreak": {"detected": False, "filtered": False},
                },
            },
        }
    }
)


def azure(**fields: object) -> AzureOpenAI:
    given = {"kind": "azure_openai", "base_url": HOST, "key": Secret(KEY)} | fields
    return AzureOpenAI("azure", ProviderSection(**given))  # type: ignore[arg-type]


def headers(one: AzureOpenAI) -> dict[bytes, bytes]:
    return dict(one.headers([], address="", body=b""))


def reply(status: int, **headers: str) -> Reply:
    return Reply(httpx.Response(status, headers={k.replace("_", "-"): v for k, v in headers.items()}), None)


@pytest.mark.parametrize("base", [HOST, f"{HOST}/", f"{HOST}/openai/v1", f"{HOST}/openai/v1/"])
def test_without_a_version_the_deployment_is_the_model_in_the_body(base: str) -> None:
    one = azure(base_url=base)
    assert one.wires == ("openai_chat", "openai_responses")
    assert one.address("openai_chat", "gpt", stream=True) == f"{HOST}/openai/v1/chat/completions"
    assert one.address("openai_responses", "gpt", stream=False) == f"{HOST}/openai/v1/responses"


def test_with_a_version_the_deployment_stands_in_the_path() -> None:
    one = azure(api_version="2024-10-21")
    assert one.wires == ("openai_chat",)
    assert one.address("openai_chat", "my gpt/4", stream=False) == (
        f"{HOST}/openai/deployments/my%20gpt%2F4/chat/completions?api-version=2024-10-21"
    )


def test_a_key_has_a_header_of_its_own() -> None:
    assert headers(azure())[b"api-key"] == KEY.encode()
    assert b"authorization" not in headers(azure())


def test_a_token_of_entra_is_a_bearer() -> None:
    sent = headers(azure(key_header="authorization"))
    assert sent[b"authorization"] == b"Bearer " + KEY.encode()
    assert b"api-key" not in sent


def test_several_keys() -> None:
    one = azure(
        key=Secret(""), keys=[KeySection(key=Secret("azure-one")), KeySection(key=Secret("azure-two"))]
    )
    assert {headers(one)[b"api-key"] for _ in range(2)} == {b"azure-one", b"azure-two"}


@pytest.mark.parametrize("status", [400, 403])
def test_a_refusal_of_the_content_filter_is_the_callers_business(status: int) -> None:
    error = azure().refusal(reply(status), FILTERED)
    assert (error.upstream_status, error.retryable, error.body) == (400, False, FILTERED)
    assert error.detail == "the provider's content filter refused the request (violence)"
    assert error.data == {"code": "content_filter"}


def test_a_filter_that_does_not_say_why() -> None:
    error = azure().refusal(reply(400), b'{"error":{"code":"content_filter","message":"no"}}')
    assert error.detail == "the provider's content filter refused the request"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"error":"no"}', b'{"error":{"code":"429","message":"slow"}}']
)
def test_other_refusals_are_like_openais(body: bytes) -> None:
    error = azure().refusal(reply(429, retry_after="4"), body)
    assert (error.upstream_status, error.retryable, error.retry_after) == (429, True, 4.0)


def test_its_key_never_comes_back() -> None:
    error = azure().refusal(reply(400), FILTERED.replace(b"The response", KEY.encode()))
    assert KEY.encode() not in error.body


def test_it_needs_an_address() -> None:
    [found] = problems(Section(providers={"azure": ProviderSection(kind="azure_openai")}))
    assert found.startswith("providers.azure.base_url: must be the resource's endpoint")
