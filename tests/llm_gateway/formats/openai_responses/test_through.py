"""Both OpenAI formats through the whole gateway, before providers that speak the one or the other."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, provider_section
from tests.support import responses_provider
from tests.support.providers import ScriptedProvider, completion, cut, error, sending, stream
from tests.support.responses_provider import ID, answering, call, message, reasoning


@pytest.fixture
async def responses_only(opened: Open, provider: ScriptedProvider) -> AsyncIterator[Gateway]:
    provider.will(answering(reasoning("Hm", content="ZW5j"), message()))
    wires = {"main": provider_section(provider, wires=["openai_responses"])}
    async with opened(provider, accept=["key"], providers=wires) as gateway:
        yield gateway


@pytest.fixture
async def chat_only(opened: Open, provider: ScriptedProvider) -> AsyncIterator[Gateway]:
    async with opened(provider, accept=["key"]) as gateway:
        yield gateway


async def client(gateway: Gateway) -> openai.AsyncOpenAI:
    secret, record = gateway.edge.key()
    await gateway.edge.keys(gateway.service.parts, [record])
    return openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=secret, max_retries=0)


async def test_responses_before_a_provider_of_chat_completions(
    chat_only: Gateway, provider: ScriptedProvider
) -> None:
    async with await client(chat_only) as found:
        answer = await found.responses.create(model="fast", input="hi", instructions="Be brief.", store=False)
        assert answer.output_text == "Hello there"
        assert answer.usage is not None
        assert answer.usage.total_tokens == 28
        sent = provider.last
        assert sent.path == "/v1/chat/completions"
        assert [each["role"] for each in sent.json["messages"]] == ["system", "user"]
        provider.will(stream("a", "b"))
        async with found.responses.stream(model="fast", input="hi") as events:
            async for _ in events:
                pass
            assert (await events.get_final_response()).output_text == "ab"
        assert provider.last.json["stream_options"] == {"include_usage": True}
        rows = await chat_only.service.rows(2)
        assert [(row.tokens_in, row.tokens_out) for row in rows] == [(20, 8), (20, 8)]


async def test_chat_completions_before_a_provider_of_responses(
    responses_only: Gateway, provider: ScriptedProvider
) -> None:
    messages: Any = [{"role": "user", "content": "hi"}]
    async with await client(responses_only) as found:
        answer: Any = await found.chat.completions.create(model="fast", messages=messages)
        assert answer.choices[0].message.content == "Hello there"
        assert answer.choices[0].message.reasoning_content == "Hm"
        assert provider.last.path == "/v1/responses"
        assert provider.last.json["store"] is False
        back = answer.choices[0].message.model_dump(exclude_none=True)
        provider.will(answering(call("f", "{}")))
        async with found.chat.completions.stream(
            model="fast", messages=[*messages, back, *messages]
        ) as events:
            async for _ in events:
                pass
            final = await events.get_final_completion()
        assert final.choices[0].message.tool_calls is not None
        thought = next(item for item in provider.last.json["input"] if item.get("type") == "reasoning")
        assert thought["encrypted_content"] == "ZW5j"


async def test_responses_pass_as_they_are_where_the_provider_speaks_them(
    responses_only: Gateway, provider: ScriptedProvider
) -> None:
    async with await client(responses_only) as found:
        answer = await found.responses.create(model="fast", input="hi", store=False)
        assert (answer.id, answer.output_text) == (ID, "Hello there")
        async with found.responses.stream(model="fast", input="hi", store=False) as events:
            seen = [event.type async for event in events]
        assert seen[0] == "response.created"
        assert seen[-1] == "response.completed"
        rows = await responses_only.service.rows(2)
        assert [(row.tokens_in, row.tokens_out) for row in rows] == [(20, 8), (20, 8)]


async def test_a_provider_of_another_format_that_refuses(
    chat_only: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(error(400, message="too many words"), completion())
    async with await client(chat_only) as found:
        with pytest.raises(openai.BadRequestError, match="too many words"):
            await found.responses.create(model="fast", input="hi")


async def test_a_stream_that_breaks(responses_only: Gateway, provider: ScriptedProvider) -> None:
    broken = responses_provider.events()[:6]
    provider.will(sending([responses_provider.wire(broken)], then=cut))
    messages: Any = [{"role": "user", "content": "hi"}]
    async with await client(responses_only) as found:
        with pytest.raises(openai.APIError):
            await drained(found.responses.stream(model="fast", input="hi"))
        with pytest.raises(openai.APIError):
            await drained(found.chat.completions.stream(model="fast", messages=messages))


async def drained(stream: Any) -> None:
    async with stream as events:
        async for _ in events:
            pass
