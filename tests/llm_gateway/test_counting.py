"""How long a prompt is, as the official clients ask it: the provider says where it speaks the same, the
gateway itself where it does not or cannot be asked.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import PROVIDER_KEY, Gateway, rule
from tests.llm_gateway.matrix.upstream_anthropic import AnthropicUpstream
from tests.llm_gateway.matrix.upstream_gemini import GeminiUpstream
from tests.support.providers import REAL_MODEL, Behaviour, ScriptedProvider, cut, error, silence, whole
from tests.support.serve import someone

PROMPT = "How long is this, and who counts it?"
MESSAGES: Any = [{"role": "user", "content": PROMPT}]
# What the local count may be, whoever's vocabulary it is: the prompt has 37 characters in ten words.
LEAST, MOST = 8, 25


class Clients:
    """The official clients of both families, with one key."""

    def __init__(self, url: str, key: str) -> None:
        options = types.HttpOptions(
            base_url=f"{url}/gemini", retry_options=types.HttpRetryOptions(attempts=1)
        )
        self.google: Any = genai.Client(api_key=key, vertexai=False, http_options=options)
        self.anthropic = anthropic.AsyncAnthropic(base_url=f"{url}/anthropic", api_key=key, max_retries=0)

    async def count(self, family: str, model: str = "fast", **more: Any) -> int:
        if family == "anthropic":
            asked = await self.anthropic.messages.count_tokens(model=model, messages=MESSAGES, **more)
            return asked.input_tokens
        counted = await self.google.aio.models.count_tokens(model=model, contents=PROMPT, **more)
        return int(counted.total_tokens)

    async def close(self) -> None:
        await self.anthropic.close()
        await self.google.aio.aclose()
        self.google.close()


@contextlib.asynccontextmanager
async def asking(gateway: Gateway, **key: Any) -> AsyncIterator[Clients]:
    secret, record = gateway.edge.key(**key)
    await gateway.edge.keys(gateway.service.parts, [record])
    clients = Clients(gateway.url, secret)
    try:
        yield clients
    finally:
        await clients.close()


def speaking(kind: str, provider: ScriptedProvider, **more: Any) -> dict[str, Any]:
    """The gateway's sections where its one provider speaks `kind`."""
    sections: dict[str, Any] = {"anthropic": AnthropicUpstream(), "gemini": GeminiUpstream()}
    known = sections[kind].section(provider.base_url) if kind in sections else {"base_url": provider.base_url}
    return {"accept": ["key"], "providers": {"main": {"key": "${KEY}", **known, **more}}}


FAILURES: dict[str, Behaviour] = {
    "an error": error(500),
    "a refusal": error(401),
    "no JSON": whole(b"<html>"),
    "no count": whole(b"{}"),
    "a wrong count": whole(b'{"input_tokens":"many","totalTokens":"many"}'),
    "another's error": whole(b'{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}'),
    "too much": whole(b" " * 100_000),
    "a cut": cut,
}


async def test_anthropics_own_provider_is_asked(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(whole(b'{"input_tokens":4711}'))
    async with opened(provider, **speaking("anthropic", provider)) as gateway, asking(gateway) as clients:
        assert await clients.count("anthropic", system="Be brief.") == 4711
    [call] = provider.calls
    assert call.path == "/v1/messages/count_tokens"
    assert call.json == {"model": REAL_MODEL, "messages": MESSAGES, "system": "Be brief."}
    assert call.headers["x-api-key"] == PROVIDER_KEY


async def test_googles_own_provider_is_asked(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(whole(b'{"totalTokens":4711}'))
    async with opened(provider, **speaking("gemini", provider)) as gateway, asking(gateway) as clients:
        assert await clients.count("gemini") == 4711
    [call] = provider.calls
    assert call.path == f"/v1beta/models/{REAL_MODEL}:countTokens"
    asked = call.json["generateContentRequest"]
    assert asked["model"] == f"models/{REAL_MODEL}"
    assert asked["contents"][0]["parts"] == [{"text": PROMPT}]
    assert call.headers["x-goog-api-key"] == PROVIDER_KEY


@pytest.mark.parametrize(
    ("family", "wire"),
    [
        ("anthropic", "openai"),
        ("anthropic", "gemini"),
        ("gemini", "openai"),
        ("gemini", "anthropic"),
    ],
)
async def test_where_the_provider_speaks_something_else_it_is_counted_here(
    opened: Open, provider: ScriptedProvider, family: str, wire: str
) -> None:
    async with opened(provider, **speaking(wire, provider)) as gateway, asking(gateway) as clients:
        assert LEAST <= await clients.count(family) <= MOST
    assert not provider.calls


@pytest.mark.parametrize("family", ["anthropic", "gemini"])
@pytest.mark.parametrize("failure", FAILURES)
async def test_a_provider_that_does_not_count_is_no_reason_not_to_answer(
    opened: Open, provider: ScriptedProvider, family: str, failure: str
) -> None:
    provider.will(FAILURES[failure])
    async with opened(provider, **speaking(family, provider)) as gateway, asking(gateway) as clients:
        assert LEAST <= await clients.count(family) <= MOST
        row = await gateway.service.row()
    assert (row.outcome, row.status, row.reason) == ("completed", 200, "")
    assert provider.calls


@pytest.mark.parametrize("family", ["anthropic", "gemini"])
async def test_a_provider_that_says_nothing_is_not_waited_for_for_ever(
    opened: Open, provider: ScriptedProvider, family: str
) -> None:
    provider.will(silence)
    sections = speaking(family, provider, first_byte_timeout_seconds=0.05)
    async with opened(provider, **sections) as gateway, asking(gateway) as clients:
        assert LEAST <= await clients.count(family) <= MOST


async def test_a_longer_prompt_counts_more_also_with_tools_and_a_system_prompt(
    opened: Open, provider: ScriptedProvider
) -> None:
    tool: Any = {"name": "weather", "description": "Tells the weather", "input_schema": {"type": "object"}}
    async with opened(provider, **speaking("openai", provider)) as gateway, asking(gateway) as clients:
        bare = await clients.count("anthropic")
        assert await clients.count("anthropic", system="Be very brief, please.") > bare
        assert await clients.count("anthropic", tools=[tool]) > bare


async def test_an_unknown_model_is_not_found_in_the_clients_own_words(
    opened: Open, provider: ScriptedProvider
) -> None:
    async with opened(provider, **speaking("openai", provider)) as gateway, asking(gateway) as clients:
        with pytest.raises(anthropic.NotFoundError) as missing:
            await clients.count("anthropic", "unheard-of")
        body: Any = missing.value.body
        assert (body["type"], body["error"]["type"]) == ("error", "not_found_error")
        with pytest.raises(genai_errors.ClientError) as unknown:
            await clients.count("gemini", "unheard-of")
        assert (unknown.value.code, unknown.value.status) == (404, "NOT_FOUND")


async def test_who_may_not_use_the_model_may_not_count_for_it(
    opened: Open, provider: ScriptedProvider
) -> None:
    policy = {"rules": [rule(sub="user:bob")]}
    async with opened(provider, policy=policy, **speaking("openai", provider)) as gateway:
        async with asking(gateway) as clients:
            with pytest.raises(anthropic.NotFoundError):
                await clients.count("anthropic")
        row = await gateway.service.row()
        assert (row.outcome, row.decision) == ("refused", "deny")


async def test_limits_on_requests_hold_and_tokens_are_not_spent(
    opened: Open, provider: ScriptedProvider
) -> None:
    limits = [
        {"name": "calls", "per": "user", "unit": "requests", "amount": 2, "window": "day"},
        {"name": "tokens", "per": "user", "unit": "tokens", "amount": 5, "window": "day"},
        {"name": "money", "per": "user", "unit": "micros", "amount": 1, "window": "day"},
    ]
    async with opened(provider, limits=limits, **speaking("openai", provider)) as gateway:
        async with asking(gateway) as clients:
            assert await clients.count("anthropic") > 5
            assert await clients.count("gemini") > 5
            with pytest.raises(anthropic.RateLimitError):
                await clients.count("anthropic")
        rows = await gateway.service.rows(3)
        assert [(row.outcome, row.tokens_in, row.cost_micros) for row in rows] == [
            ("completed", 0, 0),
            ("completed", 0, 0),
            ("refused", 0, 0),
        ]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages/count_tokens", b"[]"),
        ("/v1/messages/count_tokens", b'{"model":"fast"}'),
        ("/v1beta/models/fast:countTokens", b"{}"),
        ("/v1beta/models/fast:countTokens", b'{"contents":[],"generateContentRequest":{}}'),
        ("/v1beta/models/fast:countTokens", b'{"contents":'),
    ],
)
async def test_what_is_no_request_is_refused(plain: Gateway, path: str, body: bytes) -> None:
    heard = await plain.hear(body, path=path, caller=someone())
    assert heard.status == 400
    assert heard.error["message"]


async def test_a_question_takes_a_post(plain: Gateway) -> None:
    assert (await plain.get("/v1/messages/count_tokens")).status == 405
