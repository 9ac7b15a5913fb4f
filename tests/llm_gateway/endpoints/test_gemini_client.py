"""Google's official client asks for embeddings, at a provider of its own kind and at one of OpenAI's."""

from typing import Any

import pytest
from google import genai
from google.genai import types

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import model_section, provider_section
from tests.support.endpoint_provider import body, embeddings, packed
from tests.support.providers import ScriptedProvider, error

PATH = "/v1beta/models/fast:batchEmbedContents"
TEXTS = ["one", "two"]


def asked(**more: Any) -> dict[str, Any]:
    return {"requests": [{"content": {"parts": [{"text": text}]}, **more} for text in TEXTS]}


def gemini(provider: ScriptedProvider) -> dict[str, Any]:
    base = provider.base_url.removesuffix("/v1") + "/v1beta"
    return {"main": {"kind": "gemini", "base_url": base, "key": "${KEY}"}}


async def test_the_official_client_at_a_provider_of_openais_form(
    opened: Open, provider: ScriptedProvider
) -> None:
    provider.will(embeddings(packed(0.5, -1.0), packed(1.0, 2.0)))
    async with opened(provider, accept=["key"]) as gateway:
        secret, record = gateway.edge.key()
        await gateway.edge.keys(gateway.service.parts, [record])
        options = types.HttpOptions(base_url=gateway.url)
        client = genai.Client(api_key=secret, http_options=options)
        answer = await client.aio.models.embed_content(
            model="fast", contents=TEXTS, config=types.EmbedContentConfig(output_dimensionality=2)
        )
        await client.aio.aclose()
        assert answer.embeddings is not None
        assert [each.values for each in answer.embeddings] == [[0.5, -1.0], [1.0, 2.0]]
        assert provider.last.path == "/v1/embeddings"
        sent = provider.last.json
        assert (sent["input"], sent["dimensions"], sent["encoding_format"]) == (TEXTS, 2, "float")
        row = await gateway.service.row()
        assert (row.resource, row.tokens_in, row.findings) == ("model:fast", 9, ())


async def test_a_provider_of_its_own_kind(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(body({"embeddings": [{"values": [1.0]}, {"values": [2.0]}]}))
    async with opened(provider, providers=gemini(provider)) as gateway:
        heard = await gateway.hear(asked(taskType="RETRIEVAL_QUERY"), path=PATH)
        assert heard.json["embeddings"] == [{"values": [1.0]}, {"values": [2.0]}]
        assert provider.last.json["requests"][0]["taskType"] == "RETRIEVAL_QUERY"
        assert provider.last.path.endswith("real-model-2026-01-01:batchEmbedContents")


async def test_one_at_a_time(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(embeddings([0.5]))
    async with opened(provider) as gateway:
        heard = await gateway.hear(
            {"content": {"parts": [{"text": "one"}]}}, path="/gemini/v1beta/models/fast:embedContent"
        )
        assert heard.json["embedding"] == {"values": [0.5]}


async def test_what_cannot_be_said_is_refused_where_the_operator_wants_that(
    opened: Open, provider: ScriptedProvider
) -> None:
    provider.will(embeddings([0.5], [1.0]))
    models = {"fast": model_section(untranslatable="refuse"), "lax": model_section(aliases=[])}
    async with opened(provider, models=models) as gateway:
        assert (await gateway.hear(asked(taskType="RETRIEVAL_QUERY"), path=PATH)).status == 400
        lax = PATH.replace("fast", "lax")
        assert (await gateway.hear(asked(taskType="RETRIEVAL_QUERY"), path=lax)).status == 200


@pytest.mark.parametrize(
    ("said", "status"),
    [(error(400, message="too long"), 400), (error(500), 502), (embeddings([0.5]), 502), (body([]), 502)],
)
async def test_errors_come_in_its_own_form(
    opened: Open, provider: ScriptedProvider, said: Any, status: int
) -> None:
    provider.will(said)
    async with opened(provider) as gateway:
        heard = await gateway.hear(asked(), path=PATH)
        assert heard.status == status
        assert {"code", "message", "status"} <= set(heard.error)


async def test_an_error_of_geminis_reaches_openais_client_in_its_form(
    opened: Open, provider: ScriptedProvider
) -> None:
    failed = {"error": {"code": 400, "message": "too many dimensions", "status": "INVALID_ARGUMENT"}}
    provider.will(body(failed, status=400))
    async with opened(provider, providers=gemini(provider)) as gateway:
        heard = await gateway.hear({"model": "fast", "input": "a"}, path="/v1/embeddings")
        assert heard.status == 400
        assert set(heard.error) == {"message", "type", "param", "code"}
        assert "too many dimensions" in heard.error["message"]


async def test_a_model_that_is_not_allowed_is_not_there(opened: Open, provider: ScriptedProvider) -> None:
    providers = {"main": provider_section(provider)}
    async with opened(provider, providers=providers, policy={"rules": []}) as gateway:
        heard = await gateway.hear(asked(), path=PATH)
        assert (heard.status, heard.error["status"]) == (404, "NOT_FOUND")
        assert provider.calls == []
