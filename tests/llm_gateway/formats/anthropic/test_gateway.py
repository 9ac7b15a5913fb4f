"""Anthropic's clients before a provider of the same format, through a real gateway: bytes as they are."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import msgspec
import pytest
from anthropic.types import MessageParam

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import PROVIDER_KEY, Gateway, provider_section
from tests.support.anthropic_provider import (
    USAGE,
    error,
    error_event,
    events,
    message_body,
    replies,
    start,
    streams,
    text_block,
    thinking_block,
    tool_block,
)
from tests.support.providers import (
    REAL_MODEL,
    Call,
    ScriptedProvider,
    held,
    sending,
    silence,
)

PATH = "/v1/messages"
MESSAGES: list[MessageParam] = [{"role": "user", "content": "How are you?"}]
ASKED: dict[str, Any] = {"model": "fast", "max_tokens": 100, "messages": MESSAGES}
LIMITS = [{"name": "few", "per": "key", "unit": "requests", "amount": 3, "window": "day"}]


@pytest.fixture
async def own(opened: Open, provider: ScriptedProvider) -> AsyncIterator[Gateway]:
    """A gateway in front of a provider that speaks Anthropic's format."""
    provider.will(replies())
    known = {"main": provider_section(provider, kind="anthropic")}
    async with opened(provider, providers=known, accept=["key"], limits=LIMITS) as gateway:
        yield gateway


async def key(gateway: Gateway) -> str:
    secret, record = gateway.edge.key()
    await gateway.edge.keys(gateway.service.parts, [record])
    return secret


@pytest.fixture
async def client(own: Gateway) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=own.url, api_key=await key(own), max_retries=0) as client:
        yield client


async def hear_out(client: anthropic.AsyncAnthropic, gate: asyncio.Event) -> None:
    """Reads a stream to its end; the provider goes on when its first words have come through."""
    async with client.messages.stream(model="fast", max_tokens=100, messages=MESSAGES) as stream:
        async for _ in stream.text_stream:
            gate.set()


async def test_a_message_passes_as_it_is(own: Gateway, provider: ScriptedProvider) -> None:
    secret = await key(own)
    for path in (PATH, "/anthropic" + PATH):
        heard = await own.hear(ASKED, path=path, headers={"x-api-key": secret, "anthropic-beta": "b-1"})
        assert (heard.status, heard.body) == (200, message_body())
    sent = provider.last
    assert sent.path == "/v1/messages"
    assert sent.body == msgspec.json.encode({**ASKED, "model": REAL_MODEL})
    assert sent.headers["x-api-key"] == PROVIDER_KEY
    assert (sent.headers["anthropic-version"], sent.headers["anthropic-beta"]) == ("2023-06-01", "b-1")
    assert secret not in str(sent.header_list)


async def test_a_stream_passes_as_it_is_and_is_counted(own: Gateway, provider: ScriptedProvider) -> None:
    parts = events(
        thinking_block(0, "Hm"), text_block(1, "Hel", "lo"), tool_block(2, "toolu_1", "find", "{}")
    )
    provider.will(streams(parts))
    heard = await own.hear({**ASKED, "stream": True}, path=PATH, headers={"x-api-key": await key(own)})
    assert heard.body == b"".join(parts)
    assert heard.headers["content-type"].startswith("text/event-stream")
    [row] = await own.service.rows(1)
    assert (row.outcome, row.tokens_in, row.tokens_out, row.cached, row.reasoning) == (
        "completed",
        20,
        8,
        12,
        3,
    )


async def test_the_official_client(client: anthropic.AsyncAnthropic, provider: ScriptedProvider) -> None:
    message = await client.messages.create(model="fast", max_tokens=100, messages=MESSAGES)
    assert message.content[0].type == "text"
    assert message.content[0].text == "Hello there"
    assert message.usage.cache_read_input_tokens == USAGE["cache_read_input_tokens"]
    assert provider.last.headers["anthropic-version"] == "2026-10-21"
    assert "authorization" not in provider.last.headers


async def test_the_official_client_streams(client: anthropic.AsyncAnthropic) -> None:
    async with client.messages.stream(model="fast", max_tokens=100, messages=MESSAGES) as stream:
        message = await stream.get_final_message()
    assert message.content[0].type == "text"
    assert message.content[0].text == "Hello there"


async def test_events_come_while_the_provider_is_still_at_work(
    client: anthropic.AsyncAnthropic, provider: ScriptedProvider
) -> None:
    gate, sent = asyncio.Event(), events(text_block(0, "a", "b"))
    provider.will(held(sent[:4], gate, sent[4:]))
    async with client.messages.stream(model="fast", max_tokens=100, messages=MESSAGES) as stream:
        assert await anext(stream.text_stream) == "a"
        gate.set()
        assert await anext(stream.text_stream) == "b"


async def test_a_providers_refusal_reaches_the_caller_in_its_own_words(
    client: anthropic.AsyncAnthropic, provider: ScriptedProvider
) -> None:
    provider.will(error(400, "invalid_request_error", message="prompt is too long"))
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
        await client.messages.create(model="fast", max_tokens=100, messages=MESSAGES)


@pytest.mark.parametrize(
    ("status", "kind", "shown"),
    [
        (429, "rate_limit_error", anthropic.RateLimitError),
        (529, "overloaded_error", anthropic.OverloadedError),
        (500, "api_error", anthropic.InternalServerError),
    ],
)
async def test_a_provider_that_cannot(
    client: anthropic.AsyncAnthropic,
    provider: ScriptedProvider,
    status: int,
    kind: str,
    shown: type[anthropic.APIStatusError],
) -> None:
    provider.will(error(status, kind, retry_after=0))
    with pytest.raises(shown) as caught:
        await client.messages.create(model="fast", max_tokens=100, messages=MESSAGES)
    assert caught.value.type == kind


async def test_a_limit(client: anthropic.AsyncAnthropic) -> None:
    for _ in range(3):
        answer = await client.messages.with_raw_response.create(
            model="fast", max_tokens=100, messages=MESSAGES
        )
    assert answer.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert answer.headers["anthropic-ratelimit-requests-reset"].endswith("Z")
    with pytest.raises(anthropic.RateLimitError) as caught:
        await client.messages.create(model="fast", max_tokens=100, messages=MESSAGES)
    assert caught.value.type == "rate_limit_error"


async def test_what_is_missing_and_who_is_unknown(own: Gateway, client: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(anthropic.NotFoundError):
        await client.messages.create(model="nobody", max_tokens=100, messages=MESSAGES)
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: field required"):
        await client.post(PATH, body={"model": "fast", "messages": MESSAGES}, cast_to=object)
    async with anthropic.AsyncAnthropic(base_url=own.url, api_key="gsk_wrong", max_retries=0) as unknown:
        with pytest.raises(anthropic.AuthenticationError):
            await unknown.messages.create(model="fast", max_tokens=100, messages=MESSAGES)


async def test_an_error_in_a_stream(client: anthropic.AsyncAnthropic, provider: ScriptedProvider) -> None:
    gate = asyncio.Event()
    provider.will(held([start(), *text_block(0, "a")[:2]], gate, [error_event()]))
    with pytest.raises(anthropic.APIStatusError) as caught:
        await hear_out(client, gate)
    assert (caught.value.type, caught.value.api_message) == ("overloaded_error", "Overloaded")


async def test_a_stream_that_is_cut(
    own: Gateway, client: anthropic.AsyncAnthropic, provider: ScriptedProvider
) -> None:
    gate = asyncio.Event()

    async def cut_later(call: Call) -> None:
        await gate.wait()
        call.cut()

    provider.will(sending([start(), *text_block(0, "a")[:2]], then=cut_later))
    with pytest.raises(anthropic.APIStatusError):
        await hear_out(client, gate)
    [row] = await own.service.rows(1)
    assert (row.outcome, row.tokens_in) == ("broken", 20)


async def test_a_client_that_leaves_has_used_what_went_by(
    own: Gateway, client: anthropic.AsyncAnthropic, provider: ScriptedProvider
) -> None:
    provider.will(sending([start(), *text_block(0, *("word " for _ in range(20)))[:-1]], then=silence))
    async with client.messages.stream(model="fast", max_tokens=100, messages=MESSAGES) as stream:
        for _ in range(20):
            await anext(stream.text_stream)
    [row] = await own.service.rows(1)
    assert (row.outcome, row.tokens_in) == ("client_gone", 20)
    assert row.tokens_out >= 20
