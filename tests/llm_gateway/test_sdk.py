"""The official client, unmodified: a base URL and a key is all that changes for it."""

import asyncio
from collections.abc import AsyncIterator

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway
from tests.support.providers import (
    REAL_MODEL,
    ScriptedProvider,
    chunk,
    completion,
    cut,
    error,
    events,
    held,
    sending,
    stream,
)

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How are you?"}]
LIMITS = [{"name": "few", "per": "key", "unit": "requests", "amount": 3, "window": "day"}]


@pytest.fixture
async def alone(opened: Open, provider: ScriptedProvider) -> AsyncIterator[Gateway]:
    """A gateway as it is deployed alone: with keys."""
    async with opened(provider, accept=["key"], limits=LIMITS) as gateway:
        yield gateway


@pytest.fixture
async def client(alone: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    secret, record = alone.edge.key()
    await alone.edge.keys(alone.service.parts, [record])
    async with openai.AsyncOpenAI(base_url=f"{alone.url}/v1", api_key=secret, max_retries=0) as client:
        yield client


async def test_a_completion(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="fast", messages=MESSAGES)
    assert answer.choices[0].message.content == "Hello there"
    assert answer.model == REAL_MODEL
    assert answer.usage is not None
    assert answer.usage.total_tokens == 28


async def test_a_stream(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(stream("a", "b", "c"))
    chunks = [
        part
        async for part in await client.chat.completions.create(model="fast", messages=MESSAGES, stream=True)
    ]
    assert "".join(part.choices[0].delta.content or "" for part in chunks) == "abc"
    assert all(part.usage is None for part in chunks)


async def test_a_stream_with_usage(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(stream("a"))
    chunks = [
        part
        async for part in await client.chat.completions.create(
            model="fast", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    ]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 8


async def test_chunks_come_while_the_provider_is_still_at_work(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    gate, sent = asyncio.Event(), events(["a", "b"], counted=False)
    provider.will(held(sent[:2], gate, sent[2:]))
    answer = await client.chat.completions.create(model="fast", messages=MESSAGES, stream=True)
    first = [await anext(answer), await anext(answer)]
    assert first[1].choices[0].delta.content == "a"
    gate.set()
    assert (await anext(answer)).choices[0].delta.content == "b"


async def test_models(client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["fast", "gpt-4o-mini"]
    assert (await client.models.retrieve("fast")).owned_by == "gatestack"


async def test_an_unknown_model(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(model="nobody", messages=MESSAGES)
    assert caught.value.code == "model_not_found"


async def test_a_wrong_key(alone: Gateway) -> None:
    async with openai.AsyncOpenAI(base_url=f"{alone.url}/v1", api_key="gsk_wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()


async def test_a_limit(client: openai.AsyncOpenAI) -> None:
    for _ in range(3):
        await client.chat.completions.create(model="fast", messages=MESSAGES)
    with pytest.raises(openai.RateLimitError) as caught:
        await client.chat.completions.create(model="fast", messages=MESSAGES)
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "0"


async def test_a_provider_that_refuses(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(error(400, message="too long"))
    with pytest.raises(openai.BadRequestError, match="too long"):
        await client.chat.completions.create(model="fast", messages=MESSAGES)


async def test_a_provider_that_fails(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(error(500))
    with pytest.raises(openai.InternalServerError):
        await client.chat.completions.create(model="fast", messages=MESSAGES)


async def test_a_stream_that_breaks(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(sending([chunk({"content": "a"})], then=cut))
    answer = await client.chat.completions.create(model="fast", messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError, match="cut off"):
        [part async for part in answer]


async def test_a_retry_of_the_client_is_a_call_of_its_own(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway
) -> None:
    provider.will(error(500), completion())
    answer = await client.with_options(max_retries=1).chat.completions.create(model="fast", messages=MESSAGES)
    assert answer.choices[0].message.content == "Hello there"
    assert [row.outcome for row in await alone.service.rows(2)] == ["failed", "completed"]
