"""Vertex AI: where a project's models are, and the tokens that open them."""

import asyncio
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from llm_gateway.config import ProviderSection, Section, problems
from llm_gateway.providers.vertex import VertexProvider
from shared.config import Secret
from shared.errors import UpstreamRefused
from shared.http_client import HttpClient, Reply
from tests.support.clock import FakeClock
from tests.support.providers import Behaviour, Call, ScriptedProvider, error, whole
from tests.support.wait import eventually

RSA = generate_private_key(public_exponent=65537, key_size=2048)
PEM = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
EMAIL = "gateway@acme.iam.gserviceaccount.com"


def account(token_uri: str) -> str:
    fields = {
        "type": "service_account",
        "client_email": EMAIL,
        "private_key": PEM,
        "private_key_id": "key-1",
        "token_uri": token_uri,
    }
    return msgspec.json.encode(fields).decode()


def provider(clock: FakeClock | None = None, **fields: Any) -> VertexProvider:
    given = {"kind": "vertex", "project": "acme", "region": "europe-west4", **fields}
    return VertexProvider("vertex", ProviderSection(**given), clock)


def granting(*tokens: str, seconds: float = 3600) -> list[Behaviour]:
    bodies = [{"access_token": token, "expires_in": seconds, "token_type": "Bearer"} for token in tokens]
    return [whole(msgspec.json.encode(body)) for body in bodies]


def credential(made: VertexProvider) -> bytes:
    return dict(made.headers([], address="", body=b""))[b"authorization"]


@pytest.fixture
async def google() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


def holder(google: ScriptedProvider, clock: FakeClock | None = None) -> VertexProvider:
    text = account(google.base_url.removesuffix("/v1") + "/token")
    return provider(clock or FakeClock(), service_account=Secret(text))


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
    ],
)
def test_a_region_has_its_own_host(region: str, host: str) -> None:
    place = f"https://{host}/v1beta1/projects/acme/locations/{region}/publishers/google/models/gemini-2.5-pro"
    made = provider(region=region, key=Secret("ya29.token"))
    assert made.address("gemini", "gemini-2.5-pro", stream=False) == place + ":generateContent"
    assert made.address("gemini", "gemini-2.5-pro", stream=True) == place + ":streamGenerateContent?alt=sse"


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("endpoints/123", "projects/acme/locations/europe-west4/endpoints/123"),
        ("publishers/meta/models/llama", "projects/acme/locations/europe-west4/publishers/meta/models/llama"),
        ("projects/other/locations/us/endpoints/1", "projects/other/locations/us/endpoints/1"),
    ],
)
def test_models_of_others_and_of_ones_own_have_their_own_places(model: str, path: str) -> None:
    assert provider(key=Secret("ya29.token")).place(model).endswith("/v1beta1/" + path)


async def test_a_static_token_is_a_bearer(http: HttpClient) -> None:
    made = provider(key=Secret("ya29.static"))
    await made.prepare(http)
    assert credential(made) == b"Bearer ya29.static"


async def test_a_service_account_gets_a_token_for_a_signed_assertion(
    google: ScriptedProvider, http: HttpClient
) -> None:
    google.will(*granting("ya29.first"))
    clock = FakeClock()
    made = holder(google, clock)
    await made.prepare(http)
    assert credential(made) == b"Bearer ya29.first"
    form = parse_qs(google.last.body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    head, claims, signature = form["assertion"][0].encode().split(b".")
    RSA.public_key().verify(decoded(signature), head + b"." + claims, PKCS1v15(), SHA256())
    assert msgspec.json.decode(decoded(head)) == {"alg": "RS256", "typ": "JWT", "kid": "key-1"}
    assert msgspec.json.decode(decoded(claims)) == {
        "iss": EMAIL,
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": google.base_url.removesuffix("/v1") + "/token",
        "iat": int(clock.now()),
        "exp": int(clock.now()) + 3600,
    }


async def test_a_token_is_fetched_once_for_all_that_wait_and_renewed_before_it_ends(
    google: ScriptedProvider, http: HttpClient
) -> None:
    google.will(*granting("ya29.first", "ya29.second"))
    clock = FakeClock()
    made = holder(google, clock)
    await asyncio.gather(*(made.prepare(http) for _ in range(5)))
    clock.advance(3200)
    await made.prepare(http)
    assert (len(google.calls), credential(made)) == (1, b"Bearer ya29.first")
    clock.advance(150)
    await made.prepare(http)
    assert (len(google.calls), credential(made)) == (2, b"Bearer ya29.second")


async def test_while_one_call_renews_the_others_go_on_with_the_old_token(
    google: ScriptedProvider, http: HttpClient
) -> None:
    gate = asyncio.Event()

    async def slow(call: Call) -> None:
        await gate.wait()
        await granting("ya29.second")[0](call)

    google.will(*granting("ya29.first"), slow)
    clock = FakeClock()
    made = holder(google, clock)
    await made.prepare(http)
    clock.advance(3400)
    async with asyncio.TaskGroup() as tasks:
        renewing = tasks.create_task(made.prepare(http))
        await eventually(lambda: len(google.calls) == 2)
        await made.prepare(http)
        assert (renewing.done(), credential(made)) == (False, b"Bearer ya29.first")
        gate.set()
    assert credential(made) == b"Bearer ya29.second"


async def test_a_renewal_that_fails_leaves_the_old_token_until_it_ends(
    google: ScriptedProvider, http: HttpClient
) -> None:
    google.will(*granting("ya29.first"), error(500))
    clock = FakeClock()
    made = holder(google, clock)
    await made.prepare(http)
    clock.advance(3400)
    await made.prepare(http)
    assert credential(made) == b"Bearer ya29.first"
    clock.advance(300)
    with pytest.raises(UpstreamRefused, match="no token"):
        await made.prepare(http)


@pytest.mark.parametrize(
    "behaviour",
    [
        error(400),
        error(500),
        whole(b"<html>"),
        whole(b'{"access_token":""}'),
        whole(b'{"access_token":"a\\nb"}'),
    ],
)
async def test_without_a_token_another_target_may_be_tried(
    google: ScriptedProvider, http: HttpClient, behaviour: Behaviour
) -> None:
    google.will(behaviour)
    with pytest.raises(UpstreamRefused) as caught:
        await holder(google).prepare(http)
    assert (caught.value.retryable, caught.value.upstream_status) == (True, 502)


async def test_a_token_that_was_refused_is_not_used_again_and_never_quoted(
    google: ScriptedProvider, http: HttpClient
) -> None:
    google.will(*granting("token-first", "token-second"))
    made = holder(google)
    await made.prepare(http)
    assert made.redacted(b"your token-first is bad") == b"your *** is bad"
    made.refusal(Reply(httpx.Response(401), None), b"{}")
    await made.prepare(http)
    assert credential(made) == b"Bearer token-second"


def decoded(segment: bytes) -> bytes:
    return urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))


def wrong(**fields: Any) -> list[str]:
    given = {"kind": "vertex", "project": "acme", "region": "global", **fields}
    return problems(Section(providers={"google": ProviderSection(**given)}))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"project": ""}, "project: must be said"),
        ({"region": ""}, "region: must be said"),
        ({"project": "a/../b"}, "lower case letters"),
        ({"key": Secret("")}, "either service_account"),
        ({"service_account": Secret("{}"), "key": Secret("")}, "no service account's key file"),
        ({"service_account": Secret(account("http://evil.example")), "key": Secret("")}, "no https address"),
        (
            {
                "service_account": Secret(account("https://x").replace("BEGIN PRIVATE", "BEGIN")),
                "key": Secret(""),
            },
            "no PEM key",
        ),
    ],
)
def test_what_is_wrong_with_a_section_is_said_before_a_socket_opens(
    fields: dict[str, Any], told: str
) -> None:
    found = wrong(**{"key": Secret("ya29.token"), **fields})
    assert any(told in problem for problem in found), found


def test_a_proper_section_is_no_problem() -> None:
    assert wrong(key=Secret("ya29.token")) == []
    assert wrong(service_account=Secret(account("https://oauth2.googleapis.com/token"))) == []
