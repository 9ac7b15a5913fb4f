"""Azure behind the whole gateway, asked by OpenAI's own client."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import openai
import pytest

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import PRICE, PROVIDER_KEY, Gateway
from tests.llm_gateway.providers.test_azure_openai import FILTERED
from tests.support.providers import (
    REAL_MODEL,
    ScriptedProvider,
    chunk,
    completion,
    events,
    sending,
    stream,
    whole,
)

MESSAGES: Any = [{"role": "user", "content": "How are you?"}]


def sections(provider: ScriptedProvider, **fields: Any) -> dict[str, Any]:
    place = provider.base_url.removesuffix("/v1")
    azure = {"kind": "azure_openai", "base_url": place, "key": "${KEY}", **fields}
    model = {"targets": [{"provider": "azure", "model": "my-gpt"}], "price": PRICE}
    return {"accept": ["key"], "providers": {"azure": azure}, "models": {"fast": model}}


async def connected(gateway: Gateway) -> openai.AsyncOpenAI:
    secret, record = gateway.edge.key()
    await gateway.edge.keys(gateway.service.parts, [record])
    return openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=secret, max_retries=0)


@pytest.fixture(params=[{}, {"api_version": "2024-10-21"}], ids=["v1", "deployments"])
async def client(
    request: pytest.FixtureRequest, opened: Open, provider: ScriptedProvider
) -> AsyncIterator[openai.AsyncOpenAI]:
    fields: Mapping[str, Any] = request.param
    async with (
        opened(provider, **sections(provider, **fields)) as gateway,
        await connected(gateway) as client,
    ):
        yield client


async def test_a_completion(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(completion())
    answer = await client.chat.completions.create(model="fast", messages=MESSAGES)
    assert (answer.choices[0].message.content, answer.model) == ("Hello there", REAL_MODEL)
    call = provider.last
    assert call.headers["api-key"] == PROVIDER_KEY
    assert "authorization" not in call.headers
    assert call.path in (
        "/openai/v1/chat/completions",
        "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21",
    )
    assert call.json["model"] == "my-gpt"


async def test_a_stream_that_begins_with_the_filters_findings(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    found = b'data: {"id":"","object":"","created":0,"model":"","choices":[],"prompt_filter_results":[]}\n\n'
    provider.will(sending([found, *events(["a", "b"], counted=False)]))
    answer = await client.chat.completions.create(model="fast", messages=MESSAGES, stream=True)
    parts = [part async for part in answer]
    assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices) == "ab"


async def test_a_stream_is_counted(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(stream("a"))
    answer = await client.chat.completions.create(
        model="fast", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    usage = [part.usage async for part in answer][-1]
    assert usage is not None
    assert usage.total_tokens == 28


async def test_its_content_filter(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(whole(FILTERED, status=400))
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model="fast", messages=MESSAGES)
    assert caught.value.code == "content_filter"


async def test_an_answer_that_was_filtered(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(sending([chunk({"content": "a"}), chunk({}, finish="content_filter"), b"data: [DONE]\n\n"]))
    answer = await client.chat.completions.create(model="fast", messages=MESSAGES, stream=True)
    assert [part.choices[0].finish_reason async for part in answer][-1] == "content_filter"
