"""How Bedrock is called and what its errors mean here; on a socket, signature and all."""

import datetime
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from llm_gateway.config import KeySection, ProviderSection
from llm_gateway.providers.bedrock import BedrockProvider
from llm_gateway.providers.keys import another
from llm_gateway.providers.sigv4 import Account, Signer
from shared.config import Secret
from shared.http_client import HttpClient, Reply
from tests.support.bedrock_provider import converse
from tests.support.clock import FakeClock
from tests.support.providers import ScriptedProvider

KEY, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "token+/="
ARN = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0"


def provider(**fields: object) -> BedrockProvider:
    given = {"kind": "bedrock", "region": "eu-west-1", "key": Secret("bedrock-api-key-1234")} | fields
    return BedrockProvider("aws", ProviderSection(**given), FakeClock())  # type: ignore[arg-type]


def signing(**fields: object) -> BedrockProvider:
    keys = {"access_key": Secret(KEY), "secret_key": Secret(SECRET), "session_token": Secret(TOKEN)}
    return provider(**({"key": Secret("")} | keys | fields))


def reply(status: int, **headers: str) -> Reply:
    return Reply(httpx.Response(status, headers={k.replace("_", "-"): v for k, v in headers.items()}), None)


def test_the_address_comes_from_the_region_unless_it_is_said() -> None:
    assert provider().address("bedrock", "amazon.nova-pro-v1:0", stream=False) == (
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/amazon.nova-pro-v1:0/converse"
    )
    own = provider(base_url="https://vpce-1.example/")
    assert own.address("bedrock", "m", stream=True) == "https://vpce-1.example/model/m/converse-stream"


def test_an_arn_is_one_piece_of_the_path() -> None:
    assert provider().address("bedrock", ARN, stream=False).count("/") == 5


def test_an_api_key_is_a_bearer() -> None:
    sent = dict(provider().headers([(b"openai-beta", b"x")], address="", body=b""))
    assert sent[b"authorization"] == b"Bearer bedrock-api-key-1234"
    assert b"openai-beta" not in sent


def test_headers_of_its_own_go_out() -> None:
    sent = dict(signing(headers={"x-a": Secret("b")}).headers([], address="https://a/", body=b""))
    assert sent[b"x-a"] == b"b"
    assert sent[b"authorization"].startswith(b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


async def test_what_is_signed_is_what_is_on_the_wire(http: HttpClient) -> None:
    async with ScriptedProvider() as scripted:
        scripted.will(converse())
        aws = signing(base_url=scripted.base_url.removesuffix("/v1"))
        address, body = aws.address("bedrock", ARN, stream=False), b'{"messages":[]}'
        async with await http.send(
            "POST", address, headers=aws.headers([], address=address, body=body), body=body
        ) as answer:
            assert answer.status == 200
        call = scripted.last
    moment = datetime.datetime.strptime(call.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(
        tzinfo=datetime.UTC
    )
    seen = f"http://{call.headers['host']}{call.path}"
    anew = Signer(Account(KEY, SECRET, call.headers["x-amz-security-token"]), "eu-west-1", "bedrock").sign(
        "POST", seen, {"content-type": call.headers["content-type"]}, call.body, moment.timestamp()
    )
    assert call.headers["authorization"] == anew["authorization"]
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token," in anew["authorization"]


@pytest.mark.parametrize(
    ("kind", "status", "upstream", "retryable"),
    [
        ("AccessDeniedException", 403, 502, True),
        ("UnrecognizedClientException", 403, 502, True),
        ("ExpiredTokenException", 403, 502, True),
        ("ResourceNotFoundException", 404, 502, True),
        ("ThrottlingException", 429, 429, True),
        ("ModelNotReadyException", 429, 429, True),
        ("ModelTimeoutException", 408, 408, True),
        ("ModelErrorException", 424, 424, True),
        ("InternalServerException", 500, 500, True),
        ("ServiceUnavailableException", 503, 503, True),
        ("ValidationException", 400, 400, False),
    ],
)
def test_exceptions(kind: str, status: int, upstream: int, retryable: bool) -> None:
    answer = reply(status, x_amzn_errortype=f"{kind}:http://internal.amazon.com/coral/")
    error = provider().refusal(answer, b'{"message":"too long"}')
    assert (error.upstream_status, error.retryable) == (upstream, retryable)
    assert ("too long" in error.detail) is not retryable


def test_the_exceptions_name_counts_more_than_the_status() -> None:
    error = provider().refusal(reply(400, x_amzn_errortype="ThrottlingException", retry_after="3"), b"{}")
    assert (error.upstream_status, error.retryable, error.retry_after) == (429, True, 3.0)


@pytest.mark.parametrize(("status", "upstream"), [(401, 502), (429, 429), (500, 500), (422, 422)])
def test_without_a_name_the_status_counts(status: int, upstream: int) -> None:
    assert provider().refusal(reply(status), b"<html>").upstream_status == upstream


def test_its_secrets_never_come_back() -> None:
    body = msgspec.json.encode({"message": f"bad {KEY} {SECRET} {TOKEN}"})
    error = signing().refusal(reply(400), body)
    for secret in (KEY, SECRET, TOKEN):
        assert secret.encode() not in error.body
        assert secret not in error.detail


def test_several_api_keys_take_turns() -> None:
    keys = [KeySection(key=Secret(f"bedrock-key-{n}")) for n in (1, 2)]
    aws = provider(key=Secret(""), keys=keys)
    first, second = (aws.headers([], address="", body=b"") for _ in range(2))
    assert {dict(sent)[b"authorization"] for sent in (first, second)} == {
        b"Bearer bedrock-key-1",
        b"Bearer bedrock-key-2",
    }
    assert another(first, reply(429))
