"""Endpoints at providers that are not where OpenAI is, or speak another way."""

from typing import Any

import openai
import pytest

from llm_gateway.config import ProviderSection
from llm_gateway.endpoints.upstream import address_of
from llm_gateway.providers.azure_openai import AzureOpenAI
from llm_gateway.providers.openai_compatible import OpenAICompatible
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import PROVIDER_KEY, model_section, provider_section, rule
from tests.support.endpoint_provider import body, embeddings
from tests.support.providers import ScriptedProvider, error

ASK = {"model": "fast", "input": "hello"}


def gemini(provider: ScriptedProvider) -> dict[str, Any]:
    base = provider.base_url.removesuffix("/v1") + "/v1beta"
    return {"main": {"kind": "gemini", "base_url": base, "key": "${KEY}"}}


async def test_gemini_embeds_for_the_official_client(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(body({"embeddings": [{"values": [0.5, -1.0]}, {"values": [1.0, 2.0]}]}))
    async with opened(provider, providers=gemini(provider), accept=["key"]) as gateway:
        secret, record = gateway.edge.key()
        await gateway.edge.keys(gateway.service.parts, [record])
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=secret) as client:
            answer = await client.embeddings.create(model="fast", input=["a", "b"], dimensions=2)
        assert [item.embedding for item in answer.data] == [[0.5, -1.0], [1.0, 2.0]]
        call = provider.last
        assert call.path.endswith(":batchEmbedContents")
        assert call.headers["x-goog-api-key"] == PROVIDER_KEY
        assert [each["outputDimensionality"] for each in call.json["requests"]] == [2, 2]
        row = await gateway.service.row()
        assert (row.provider, row.outcome) == ("main", "completed")


async def test_gemini_takes_no_tokens(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, providers=gemini(provider)) as gateway:
        for given in ([1, 2], ["a", [1]]):
            heard = await gateway.hear({"model": "fast", "input": given}, path="/v1/embeddings")
            assert (heard.status, heard.error["param"]) == (400, "input")
        wrong = await gateway.hear({**ASK, "dimensions": "x"}, path="/v1/embeddings")
        assert (wrong.status, wrong.error["param"]) == (400, "dimensions")
        assert provider.calls == []


async def test_who_cannot_be_asked_is_left_out(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    second.will(embeddings([1.0]))
    anthropic = {"kind": "anthropic", "base_url": provider.base_url, "key": "${KEY}"}
    providers = {"main": anthropic, "second": provider_section(second)}
    models = {"fast": model_section("main", "second"), "only": model_section("main", aliases=[])}
    async with opened(provider, second, providers=providers, models=models) as gateway:
        heard = await gateway.hear(ASK, path="/v1/embeddings")
        assert heard.status == 200
        heard = await gateway.hear({**ASK, "model": "only"}, path="/v1/embeddings")
        assert (heard.status, heard.error["param"]) == (400, "model")
        assert provider.calls == []


async def test_the_next_key_is_used_where_one_is_refused(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(error(429), embeddings([1.0]))
    section = provider_section(provider, keys=[{"key": "${KEY}"}, {"key": "${KEY}"}])
    del section["key"]
    async with opened(provider, providers={"main": section}) as gateway:
        assert (await gateway.hear(ASK, path="/v1/embeddings")).status == 200
        assert (await gateway.service.row()).attempts == 1


@pytest.mark.parametrize("path", ["/models", "/models?alt=sse"])
async def test_a_passthrough_begins_where_the_operator_says(
    opened: Open, provider: ScriptedProvider, path: str
) -> None:
    provider.will(body({"models": []}))
    base = provider.base_url.removesuffix("/v1") + "/v1beta"
    async with opened(
        provider,
        providers=gemini(provider),
        endpoints={"passthrough": {"main": {"base_url": base}}},
        policy={"rules": [rule(obj="*")]},
    ) as gateway:
        heard = await gateway.get(
            f"/v1/passthrough/main{path}&key=mine" if "?" in path else f"/v1/passthrough/main{path}"
        )
        assert heard.json == {"models": []}
        assert provider.last.path == f"/v1beta{path}"


def test_where_an_endpoint_is() -> None:
    plain = OpenAICompatible("a", ProviderSection(base_url="https://a/v1/", paths={"rerank": "/ranking"}))
    assert address_of(plain, "embeddings", "/embeddings", model="m") == "https://a/v1/embeddings"
    assert address_of(plain, "rerank", "/rerank", model="m") == "https://a/v1/ranking"
    azure = AzureOpenAI(
        "b", ProviderSection(kind="azure_openai", base_url="https://b", api_version="2024-10-21")
    )
    deployed = "https://b/openai/deployments/my%2Fm/embeddings?api-version=2024-10-21"
    assert address_of(azure, "embeddings", "/embeddings", model="my/m") == deployed
    assert (
        address_of(azure, "files", "/files", more="/f1") == "https://b/openai/files/f1?api-version=2024-10-21"
    )
    newer = AzureOpenAI("c", ProviderSection(kind="azure_openai", base_url="https://c"))
    assert address_of(newer, "files", "/files") == "https://c/openai/v1/files"
