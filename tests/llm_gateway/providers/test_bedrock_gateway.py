"""Bedrock behind the whole gateway, asked by OpenAI's own client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import openai
import pytest

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import PRICE, PROVIDER_KEY, Gateway
from tests.support.bedrock_provider import (
    closing,
    converse,
    converse_stream,
    delta,
    event,
    exception,
    held_stream,
    refused,
    text_events,
)
from tests.support.providers import ScriptedProvider, cut

MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
MESSAGES: Any = [{"role": "user", "content": "How are you?"}]
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


@pytest.fixture
async def alone(opened: Open, provider: ScriptedProvider) -> AsyncIterator[Gateway]:
    place = provider.base_url.removesuffix("/v1")
    section = {"kind": "bedrock", "region": "eu-west-1", "base_url": place, "key": "${KEY}"}
    models = {"fast": {"targets": [{"provider": "aws", "model": MODEL}], "price": PRICE}}
    async with opened(provider, accept=["key"], providers={"aws": section}, models=models) as gateway:
        yield gateway


@pytest.fixture
async def client(alone: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    secret, record = alone.edge.key()
    await alone.edge.keys(alone.service.parts, [record])
    async with openai.AsyncOpenAI(base_url=f"{alone.url}/v1", api_key=secret, max_retries=0) as client:
        yield client


async def listen(client: openai.AsyncOpenAI) -> str:
    """All that a stream says. What goes wrong may do so before or after its first byte."""
    stream = await client.chat.completions.create(model="fast", messages=MESSAGES, stream=True)
    return "".join([part.choices[0].delta.content or "" async for part in stream if part.choices])


async def test_a_completion(client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway) -> None:
    provider.will(converse())
    answer = await client.chat.completions.create(model="fast", messages=MESSAGES, max_completion_tokens=50)
    assert answer.choices[0].message.content == "Hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (20, 8)
    call = provider.last
    assert (call.method, call.path) == ("POST", f"/model/{MODEL}/converse")
    assert call.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert call.json == {
        "messages": [{"role": "user", "content": [{"text": "How are you?"}]}],
        "inferenceConfig": {"maxTokens": 50},
    }
    row = await alone.service.row()
    assert (row.outcome, row.provider, row.model, row.tokens_in) == ("completed", "aws", MODEL, 20)


async def test_a_stream_that_comes_while_the_model_is_still_at_work(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    gate, sent = asyncio.Event(), text_events(["Hel", "lo"])
    provider.will(held_stream(sent[:2], gate, sent[2:]))
    stream = await client.chat.completions.create(
        model="fast", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    first = [await anext(stream), await anext(stream)]
    assert "".join(part.choices[0].delta.content or "" for part in first) == "Hel"
    gate.set()
    rest = [part async for part in stream]
    assert "".join(part.choices[0].delta.content or "" for part in rest if part.choices) == "lo"
    assert rest[-1].usage is not None
    assert rest[-1].usage.total_tokens == 28
    assert provider.last.path == f"/model/{MODEL}/converse-stream"


async def test_a_loop_with_parallel_calls(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    start = [
        event(
            "contentBlockStart",
            {"contentBlockIndex": n, "start": {"toolUse": {"toolUseId": f"t-{n}", "name": "weather"}}},
        )
        for n in (0, 1)
    ]
    pieces = [delta(n, {"toolUse": {"input": f'{{"n":{n}}}'}}) for n in (0, 1)]
    stop = [event("contentBlockStop", {"contentBlockIndex": n}) for n in (0, 1)]
    provider.will(
        converse_stream([start[0], pieces[0], stop[0], start[1], pieces[1], stop[1], *closing("tool_use")])
    )
    async with client.chat.completions.stream(model="fast", messages=MESSAGES, tools=TOOLS) as stream:
        asked = (await stream.get_final_completion()).choices[0]
    assert asked.finish_reason == "tool_calls"
    calls = asked.message.tool_calls or []
    assert [(call.id, call.function.arguments) for call in calls] == [("t-0", '{"n":0}'), ("t-1", '{"n":1}')]

    provider.will(converse())
    results: list[Any] = [{"role": "tool", "tool_call_id": call.id, "content": "hot"} for call in calls]
    asking: Any = {"role": "assistant", "tool_calls": [call.to_dict(mode="json") for call in calls]}
    await client.chat.completions.create(model="fast", messages=[*MESSAGES, asking, *results], tools=TOOLS)
    turns = provider.last.json["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert [block["toolResult"]["toolUseId"] for block in turns[2]["content"]] == ["t-0", "t-1"]
    assert turns[1]["content"][1]["toolUse"] == {"toolUseId": "t-1", "name": "weather", "input": {"n": 1}}


async def test_what_bedrock_cannot_do_is_told(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(converse())
    raw = await client.chat.completions.with_raw_response.create(
        model="fast", messages=MESSAGES, seed=1, logit_bias={"1": 2}
    )
    assert "seed extra.logit_bias" in raw.headers["x-gatestack-answer"]


async def test_a_request_that_it_refuses(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(refused(400, "ValidationException", "The model ID is fine but this is not."))
    with pytest.raises(openai.BadRequestError, match="this is not"):
        await client.chat.completions.create(model="fast", messages=MESSAGES)


async def test_throttling(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(refused(429, "ThrottlingException"))
    with pytest.raises(openai.RateLimitError):
        await client.chat.completions.create(model="fast", messages=MESSAGES)


async def test_our_own_credential_is_none_of_the_callers_business(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    provider.will(refused(403, "AccessDeniedException", f"not with {PROVIDER_KEY}"))
    with pytest.raises(openai.InternalServerError) as caught:
        await client.chat.completions.create(model="fast", messages=MESSAGES)
    assert PROVIDER_KEY not in str(caught.value)


async def test_an_exception_in_the_middle_of_a_stream(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    provider.will(
        converse_stream([*text_events(["Hel"])[:2], exception("modelStreamErrorException", "boom")])
    )
    with pytest.raises(openai.APIError):
        await listen(client)


@pytest.mark.parametrize("kept", [1, 2, 3])
async def test_a_stream_that_is_cut(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, kept: int
) -> None:
    data = b"".join(text_events(["Hel", "lo"])[: kept + 1])
    provider.will(converse_stream([data[: -5 * kept]], then=cut))
    with pytest.raises(openai.APIError):
        await listen(client)


async def test_an_answer_of_another_kind_is_no_stream(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    provider.will(converse())
    with pytest.raises(openai.InternalServerError):
        await client.chat.completions.create(model="fast", messages=MESSAGES, stream=True)


async def test_signed_calls(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(converse())
    section = {
        "kind": "bedrock",
        "region": "eu-west-1",
        "base_url": provider.base_url.removesuffix("/v1"),
        "access_key": "${KEY}",
        "secret_key": "${KEY}",
    }
    models = {"fast": {"targets": [{"provider": "aws", "model": MODEL}], "price": PRICE}}
    async with opened(provider, providers={"aws": section}, models=models) as gateway:
        heard = await gateway.ask()
    assert heard.status == 200
    assert msgspec.json.decode(heard.body)["choices"][0]["message"]["content"] == "Hello there"
    signature = provider.last.headers["authorization"]
    assert signature.startswith(f"AWS4-HMAC-SHA256 Credential={PROVIDER_KEY}/")
    assert "/eu-west-1/bedrock/aws4_request" in signature
