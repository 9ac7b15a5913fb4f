"""Stateful responses through a whole gateway, with the official client."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, model_section
from tests.llm_gateway.matrix.upstream import Upstream
from tests.llm_gateway.matrix.upstream_anthropic import AnthropicUpstream
from tests.llm_gateway.matrix.upstream_responses import ResponsesUpstream
from tests.support.providers import ScriptedProvider
from tests.support.responses_provider import answering, message, reasoning


async def client(gateway: Gateway, sub: str) -> Any:
    secret, record = gateway.edge.key(sub=sub)
    await gateway.edge.keys(gateway.service.parts, [*_KNOWN, record])
    _KNOWN.append(record)
    return openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=secret, max_retries=0)


_KNOWN: list[Any] = []


@pytest.fixture(autouse=True)
def nobody_known() -> None:
    _KNOWN.clear()


@pytest.fixture
async def native(opened: Open, provider: ScriptedProvider) -> AsyncIterator[Gateway]:
    """A provider that keeps responses itself."""
    providers = {"main": ResponsesUpstream().section(provider.base_url)}
    async with opened(provider, accept=["key"], providers=providers) as gateway:
        yield gateway


@pytest.fixture
async def foreign(opened: Open, provider: ScriptedProvider) -> AsyncIterator[Gateway]:
    """A provider that has never heard of responses."""
    providers = {"main": AnthropicUpstream().section(provider.base_url)}
    async with opened(
        provider, accept=["key"], providers=providers, models={"fast": model_section()}
    ) as gateway:
        yield gateway


async def test_a_conversation_goes_on_where_the_provider_keeps_it(
    native: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(ResponsesUpstream().says("Ada."), ResponsesUpstream().says("36."))
    async with await client(native, "user:alice") as alice:
        first = await alice.responses.create(model="fast", input="Who?")
        await alice.responses.create(model="fast", input="How old?", previous_response_id=first.id)
    assert provider.last.json["previous_response_id"] == "resp_1"
    assert provider.last.json["input"] == "How old?"


async def test_a_conversation_goes_on_where_only_the_gateway_keeps_it(
    foreign: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(AnthropicUpstream().says("Ada."), AnthropicUpstream().says("36."))
    async with await client(foreign, "user:alice") as alice:
        first = await alice.responses.create(model="fast", input="Who?")
        second = await alice.responses.create(model="fast", input="How old?", previous_response_id=first.id)
        assert second.output_text == "36."
        again = await alice.responses.retrieve(second.id)
        assert again.output_text == "36."
    said = [(message["role"], message["content"][0]["text"]) for message in provider.last.json["messages"]]
    assert said == [("user", "Who?"), ("assistant", "Ada."), ("user", "How old?")]


async def test_a_foreign_conversation_at_the_provider_is_none(
    native: Gateway, provider: ScriptedProvider
) -> None:
    await _is_none(native, provider, ResponsesUpstream())


async def test_a_foreign_conversation_here_is_none(foreign: Gateway, provider: ScriptedProvider) -> None:
    await _is_none(foreign, provider, AnthropicUpstream())


async def _is_none(gateway: Gateway, provider: ScriptedProvider, upstream: Upstream) -> None:
    provider.will(upstream.says("Ada."))
    async with await client(gateway, "user:alice") as alice, await client(gateway, "user:eve") as eve:
        first = await alice.responses.create(model="fast", input="Who?")
        before = len(provider.calls)
        with pytest.raises(openai.NotFoundError):
            await eve.responses.create(model="fast", input="And?", previous_response_id=first.id)
        with pytest.raises(openai.NotFoundError):
            await eve.responses.retrieve(first.id)
        assert len(provider.calls) == before


async def test_a_request_that_a_guard_has_rewritten_is_not_kept(
    opened: Open, provider: ScriptedProvider
) -> None:
    provider.will(AnthropicUpstream().says("Noted."))
    guards = [{"kind": "pii", "name": "pii", "action": "redact"}]
    providers = {"main": AnthropicUpstream().section(provider.base_url)}
    async with opened(provider, accept=["key"], providers=providers, guards=guards) as gateway:
        async with await client(gateway, "user:alice") as alice:
            answer = await alice.responses.create(model="fast", input="I am ada@example.com")
            with pytest.raises(openai.NotFoundError):
                await alice.responses.retrieve(answer.id)
        assert b"ada@example.com" not in provider.last.body


async def _named(client: Any, *items: Any, stream: bool = False) -> Any:
    asked: Any = [
        *({"type": "item_reference", "id": item.id} for item in items),
        {"role": "user", "content": "And?"},
    ]
    if not stream:
        return await client.responses.create(model="fast", input=asked)
    async with client.responses.stream(model="fast", input=asked) as events:
        return await events.get_final_response()


@pytest.mark.parametrize("stream", [False, True])
async def test_items_that_a_provider_keeps_are_named_by_their_owner(
    native: Gateway, provider: ScriptedProvider, stream: bool
) -> None:
    provider.will(answering(reasoning("Hm", id="rs_1"), message("Ada.", id="msg_1")))
    async with await client(native, "user:alice") as alice, await client(native, "user:eve") as eve:
        first = await alice.responses.create(model="fast", input="Who?")
        provider.will(answering(message("36.", id="msg_2")))
        second = await _named(alice, *first.output, stream=stream)
        assert [item["id"] for item in provider.last.json["input"][:2]] == ["rs_1", "msg_1"]
        before = len(provider.calls)
        for item in (*first.output, *second.output):
            with pytest.raises(openai.NotFoundError, match="there is no item"):
                await _named(eve, item)
        assert len(provider.calls) == before
        await _named(alice, *second.output)
        assert provider.last.json["input"][0]["id"] == "msg_2"


@pytest.mark.parametrize("on", ["request", "reply"])
async def test_items_are_named_also_where_guards_look(
    opened: Open, provider: ScriptedProvider, on: str
) -> None:
    provider.will(answering(message("Ada.", id="msg_1")))
    guards = [{"kind": "pii", "name": "pii", "action": "redact", "on": [on]}]
    providers = {"main": ResponsesUpstream().section(provider.base_url)}
    async with (
        opened(provider, accept=["key"], providers=providers, guards=guards) as gateway,
        await client(gateway, "user:alice") as alice,
    ):
        first = await alice.responses.create(model="fast", input="Who is ada@example.com?")
        await _named(alice, *first.output)
    named = provider.last.json["input"][0]
    assert named == {"type": "item_reference", "id": "msg_1"} or named["content"][0]["text"] == "Ada."
