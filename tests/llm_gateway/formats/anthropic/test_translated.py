"""One side speaks Anthropic's format, the other OpenAI's, and a real gateway is between them."""

from collections.abc import AsyncIterator

import anthropic
import msgspec
import openai
import pytest
from anthropic.types import MessageParam

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, provider_section
from tests.support.anthropic_provider import error, events, message_body, streams, text_block
from tests.support.providers import REAL_MODEL, ScriptedProvider, completion, stream, whole

MESSAGES: list[MessageParam] = [{"role": "user", "content": "How are you?"}]


@pytest.fixture
async def own(opened: Open, provider: ScriptedProvider) -> AsyncIterator[Gateway]:
    """A gateway in front of a provider that speaks Anthropic's format."""
    known = {"main": provider_section(provider, kind="anthropic")}
    async with opened(provider, providers=known, accept=["key"]) as gateway:
        yield gateway


@pytest.fixture
async def other(opened: Open, provider: ScriptedProvider) -> AsyncIterator[Gateway]:
    """A gateway in front of a provider that speaks OpenAI's."""
    async with opened(provider, accept=["key"]) as gateway:
        yield gateway


async def key(gateway: Gateway) -> str:
    secret, record = gateway.edge.key()
    await gateway.edge.keys(gateway.service.parts, [record])
    return secret


@pytest.fixture
async def stranger(other: Gateway) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        base_url=other.url, api_key=await key(other), max_retries=0
    ) as client:
        yield client


@pytest.fixture
async def openai_client(own: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    url = f"{own.url}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key=await key(own), max_retries=0) as client:
        yield client


async def test_a_client_of_anthropics_before_a_provider_of_openais(
    stranger: anthropic.AsyncAnthropic, provider: ScriptedProvider
) -> None:
    provider.will(completion("Hello there"))
    message = await stranger.messages.create(
        model="fast", max_tokens=100, system="Be brief.", messages=MESSAGES, extra_body={"temperature": 0.5}
    )
    assert message.content[0].type == "text"
    assert (message.content[0].text, message.stop_reason, message.model) == (
        "Hello there",
        "end_turn",
        REAL_MODEL,
    )
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (8, 12)
    sent = provider.last.json
    assert [said["role"] for said in sent["messages"]] in (["system", "user"], ["developer", "user"])
    assert sent["temperature"] == 0.5


async def test_a_client_of_anthropics_streams_from_a_provider_of_openais(
    stranger: anthropic.AsyncAnthropic, provider: ScriptedProvider
) -> None:
    provider.will(stream("Hel", "lo"))
    async with stranger.messages.stream(model="fast", max_tokens=100, messages=MESSAGES) as found:
        message = await found.get_final_message()
    assert message.content[0].type == "text"
    assert (message.content[0].text, message.stop_reason) == ("Hello", "end_turn")
    assert (message.usage.output_tokens, message.usage.cache_read_input_tokens) == (8, 12)


async def test_a_client_of_openais_before_a_provider_of_anthropics(
    openai_client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"q": "x"}}
    provider.will(whole(message_body({"type": "text", "text": "I look."}, call, stop="tool_use")))
    answer = await openai_client.chat.completions.create(
        model="fast",
        messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        tools=[{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}],
        seed=1,
    )
    choice = answer.choices[0]
    assert (choice.message.content, choice.finish_reason) == ("I look.", "tool_calls")
    assert choice.message.tool_calls is not None
    assert choice.message.tool_calls[0].type == "function"
    assert msgspec.json.decode(choice.message.tool_calls[0].function.arguments) == {"q": "x"}
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (20, 8)
    sent = provider.last.json
    assert sent["system"] == [{"type": "text", "text": "Be brief."}]
    assert sent["tools"][0]["name"] == "find"
    assert sent["max_tokens"] > 0
    assert "seed" not in sent


async def test_a_client_of_openais_streams_from_a_provider_of_anthropics(
    openai_client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    provider.will(streams(events(text_block(0, "Hel", "lo"))))
    answer = await openai_client.chat.completions.create(
        model="fast",
        messages=[{"role": "user", "content": "Hi"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in answer]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == 20


async def test_a_refusal_of_anthropics_in_the_words_of_openai(
    openai_client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    provider.will(error(400, "invalid_request_error", message="prompt is too long"))
    with pytest.raises(openai.BadRequestError, match="prompt is too long"):
        await openai_client.chat.completions.create(
            model="fast", messages=[{"role": "user", "content": "Hi"}]
        )


async def test_a_refusal_of_openais_in_the_words_of_anthropic(
    stranger: anthropic.AsyncAnthropic, provider: ScriptedProvider
) -> None:
    said = msgspec.json.encode(
        {"error": {"message": "too long", "type": "invalid_request_error", "code": "x"}}
    )
    provider.will(whole(said, status=400))
    with pytest.raises(anthropic.BadRequestError, match="too long") as caught:
        await stranger.messages.create(model="fast", max_tokens=100, messages=MESSAGES)
    assert caught.value.type == "invalid_request_error"
