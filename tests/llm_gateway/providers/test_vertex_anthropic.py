"""Anthropic's models on Vertex AI behind the whole gateway, asked as Anthropic's own client for it asks."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import msgspec
import openai
import pytest

from llm_gateway.config import ProviderSection
from llm_gateway.providers import speaker
from llm_gateway.providers.vertex import VertexProvider
from llm_gateway.providers.vertex_anthropic import VertexAnthropic
from shared.config import Secret
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import PRICE, PROVIDER_KEY, Gateway
from tests.support import anthropic_provider as wire
from tests.support import gemini_provider
from tests.support.providers import ScriptedProvider, whole

CLAUDE, GEMINI = "claude-sonnet-4-5@20250929", "gemini-2.5-pro"
PLACE = "/v1/projects/acme/locations/global/publishers/anthropic/models/"
ASKED: dict[str, Any] = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
async def google(opened: Open, provider: ScriptedProvider) -> AsyncIterator[Gateway]:
    place = provider.base_url.removesuffix("/v1")
    section = {"kind": "vertex", "project": "acme", "region": "global", "base_url": place, "key": "${KEY}"}
    models = {
        name: {"targets": [{"provider": "google", "model": model}], "price": PRICE}
        for name, model in (("fast", CLAUDE), ("gemini", GEMINI))
    }
    async with opened(provider, accept=["key"], providers={"google": section}, models=models) as gateway:
        yield gateway


@pytest.fixture
async def key(google: Gateway) -> str:
    secret, record = google.edge.key()
    await google.edge.keys(google.service.parts, [record])
    return secret


@pytest.fixture
async def client(google: Gateway, key: str) -> AsyncIterator[anthropic.AsyncAnthropic]:
    url = f"{google.url}/anthropic"
    async with anthropic.AsyncAnthropic(base_url=url, api_key=key, max_retries=0) as client:
        yield client


@pytest.fixture
async def direct(provider: ScriptedProvider) -> AsyncIterator[anthropic.AsyncAnthropicVertex]:
    """Anthropic's own client for Vertex, before the same provider."""
    async with anthropic.AsyncAnthropicVertex(
        base_url=provider.base_url, project_id="acme", region="global", access_token="t", max_retries=0
    ) as client:
        yield client


@pytest.mark.parametrize("stream", [False, True])
async def test_the_provider_hears_what_anthropics_own_client_would_say(
    client: anthropic.AsyncAnthropic,
    direct: anthropic.AsyncAnthropicVertex,
    provider: ScriptedProvider,
    stream: bool,
) -> None:
    provider.will(wire.replies(text="Hello there"))
    heard: list[Any] = []
    for asked, model in ((direct, CLAUDE), (client, "fast")):
        given: Any = {**ASKED, "model": model, "extra_headers": {"anthropic-beta": "context-1m"}}
        if stream:
            async with asked.messages.stream(**given) as streamed:
                heard.append((await streamed.get_final_message()).content[0].to_dict()["text"])
        else:
            message = await asked.messages.create(**given)
            heard.append(message.content[0].to_dict()["text"])
    theirs, ours = provider.calls
    assert heard == ["Hello there"] * 2
    assert (ours.method, ours.path, ours.json) == (theirs.method, theirs.path, theirs.json)
    assert ours.path == f"{PLACE}{CLAUDE}:{'streamRawPredict' if stream else 'rawPredict'}"
    assert "model" not in ours.json
    assert ours.headers["anthropic-beta"] == theirs.headers["anthropic-beta"] == "context-1m"
    assert ours.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert "anthropic-version" not in ours.headers


async def test_a_count_is_asked_for_in_the_same_way(
    client: anthropic.AsyncAnthropic, direct: anthropic.AsyncAnthropicVertex, provider: ScriptedProvider
) -> None:
    provider.will(whole(b'{"input_tokens":7}'))
    messages: Any = ASKED["messages"]
    for asked, model in ((direct, CLAUDE), (client, "fast")):
        assert (await asked.messages.count_tokens(messages=messages, model=model)).input_tokens == 7
    theirs, ours = provider.calls
    version = {"anthropic_version": "vertex-2023-10-16"}
    assert (ours.path, ours.json) == (theirs.path, theirs.json | version)


async def test_what_else_stands_in_the_body_passes_as_it_is(
    google: Gateway, key: str, provider: ScriptedProvider
) -> None:
    provider.will(wire.replies())
    body = (
        b'{ "max_tokens":9, "model" : "fast","new":[1.00],"messages":[{"role":"user","content":"\\u00e9"}]}'
    )
    heard = await google.hear(body, path="/v1/messages", headers={"x-api-key": key})
    assert heard.status == 200
    assert provider.last.body == (
        b'{"max_tokens":9,"new":[1.00],"messages":[{"role":"user","content":"\\u00e9"}],'
        b'"anthropic_version":"vertex-2023-10-16"}'
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_clients_of_other_formats_are_translated(
    google: Gateway, key: str, provider: ScriptedProvider, stream: bool
) -> None:
    provider.will(wire.replies(text="Hello there"))
    messages: Any = ASKED["messages"]
    async with openai.AsyncOpenAI(base_url=f"{google.url}/v1", api_key=key, max_retries=0) as client:
        if stream:
            parts = await client.chat.completions.create(model="fast", messages=messages, stream=True)
            said = "".join([part.choices[0].delta.content or "" async for part in parts if part.choices])
        else:
            answer = await client.chat.completions.create(model="fast", messages=messages)
            said = answer.choices[0].message.content or ""
    assert said == "Hello there"
    asked = provider.last.json
    assert (asked["anthropic_version"], "model" in asked) == ("vertex-2023-10-16", False)
    row = await google.service.row()
    assert (row.provider, row.model, row.tokens_in, row.tokens_out) == ("google", CLAUDE, 20, 8)


async def test_googles_own_models_are_where_they_were(
    google: Gateway, key: str, provider: ScriptedProvider
) -> None:
    provider.will(gemini_provider.replying(gemini_provider.text("Hello there")))
    async with openai.AsyncOpenAI(base_url=f"{google.url}/v1", api_key=key, max_retries=0) as client:
        await client.chat.completions.create(model="gemini", messages=ASKED["messages"])
    assert provider.last.path == (
        f"/v1beta1/projects/acme/locations/global/publishers/google/models/{GEMINI}:generateContent"
    )
    assert "anthropic_version" not in provider.last.json


async def test_the_models_maker_speaks_for_itself_and_google_in_our_words(
    client: anthropic.AsyncAnthropic, provider: ScriptedProvider
) -> None:
    quota = {"error": {"code": 429, "message": "quota of acme", "status": "RESOURCE_EXHAUSTED"}}
    denied = {"error": {"code": 403, "message": "acme may not", "status": "PERMISSION_DENIED"}}
    for behaviour, status, words in (
        (wire.error(400, "invalid_request_error", message="max_tokens is odd"), 400, "max_tokens is odd"),
        (whole(msgspec.json.encode(quota), status=429), 429, "over its own limit"),
        (whole(msgspec.json.encode([denied]), status=403), 502, "refused this gateway"),
    ):
        provider.will(behaviour)
        with pytest.raises(anthropic.APIStatusError) as caught:
            await client.messages.create(model="fast", **ASKED)
        assert (caught.value.status_code, words in str(caught.value)) == (status, True)
        assert "acme" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "place"),
    [
        (CLAUDE, f"projects/acme/locations/us-east5/publishers/anthropic/models/{CLAUDE}"),
        (
            f"publishers/anthropic/models/{CLAUDE}",
            f"projects/acme/locations/us-east5/publishers/anthropic/models/{CLAUDE}",
        ),
        (
            f"projects/b/locations/eu/publishers/anthropic/models/{CLAUDE}",
            f"projects/b/locations/eu/publishers/anthropic/models/{CLAUDE}",
        ),
        (GEMINI, ""),
        ("publishers/meta/models/llama", ""),
        ("endpoints/claude-123", ""),
        ("publishers/google/models/claude-like", ""),
    ],
)
def test_a_model_says_by_its_name_whose_it_is(model: str, place: str) -> None:
    section = ProviderSection(kind="vertex", project="acme", region="us-east5", key=Secret("ya29.token"))
    speaking = speaker(VertexProvider("google", section), model)
    assert isinstance(speaking, VertexAnthropic) is bool(place)
    if place:
        address = speaking.address("anthropic", model, stream=False)
        assert address == f"https://us-east5-aiplatform.googleapis.com/v1/{place}:rawPredict"
