"""The same text is embedded once: for the same callers, under the same policy, in the encoding that each of
them wants.
"""

from typing import Any

import pytest

from tests.llm_gateway.cache.test_exact import ALICE, BOB, FOREIGN, STRANGER, kept
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, Heard, model_section, rule
from tests.support.endpoint_provider import embeddings
from tests.support.providers import ScriptedProvider, error

PATH, ASK = "/v1/embeddings", {"model": "fast", "input": "hello"}
GEMINI = "/v1beta/models/fast:embedContent"
CONTENT = {"content": {"parts": [{"text": "hello"}]}}
PRICED = {"fast": model_section(price={"in": 1_000_000})}


def said(heard: Heard) -> str:
    """What the gateway says of the cache."""
    return heard.headers["x-gatestack-answer"].partition("cache=")[2].partition(",")[0]


async def embed(gateway: Gateway, body: dict[str, Any] = ASK, **more: Any) -> str:
    heard = await gateway.hear(body, **({"path": PATH} | more))
    assert heard.status == 200, heard.body
    return said(heard)


@pytest.fixture(autouse=True)
def one_vector(provider: ScriptedProvider) -> None:
    provider.will(embeddings([1.0, 2.0]))


async def test_the_second_time_nobody_is_asked(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, cache={}, models=PRICED) as gateway:
        first = await gateway.hear(ASK, path=PATH, caller=ALICE)
        await kept(gateway)
        second = await gateway.hear(dict(reversed(ASK.items())), path=PATH, caller=BOB)
        assert (said(first), said(second), len(provider.calls)) == ("miss", "hit", 1)
        assert second.body == first.body
        paid, saved = await gateway.service.rows(2)
        assert (paid.cache, paid.cost_micros, paid.saved_micros) == ("miss", 9, 0)
        assert (saved.cache, saved.cost_micros, saved.saved_micros, saved.tokens_in) == ("hit", 0, 9, 0)
        assert (saved.model, saved.provider) == (paid.model, paid.provider)


@pytest.mark.parametrize("caller", [STRANGER, FOREIGN], ids=["another team", "another tenant"])
async def test_it_does_not_cross_who_may_see_different_things(
    opened: Open, provider: ScriptedProvider, caller: Any
) -> None:
    async with opened(provider, cache={}) as gateway:
        await embed(gateway, caller=ALICE)
        await kept(gateway)
        assert await embed(gateway, caller=caller) == "miss"


@pytest.mark.parametrize(
    "more",
    [{"dimensions": 2}, {"encoding_format": "base64"}, {"input": "hell0"}, {"input": ["hello"]}],
    ids=str,
)
async def test_another_question_has_another_answer(
    opened: Open, provider: ScriptedProvider, more: dict[str, Any]
) -> None:
    async with opened(provider, cache={}) as gateway:
        await embed(gateway)
        await kept(gateway)
        assert await embed(gateway, ASK | more) == "miss"
        assert len(provider.calls) == 2


async def test_geminis_form_has_answers_of_its_own(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, cache={}) as gateway:
        await embed(gateway)
        await kept(gateway)
        assert await embed(gateway, CONTENT, path=GEMINI) == "miss"
        await kept(gateway, 2)
        assert await embed(gateway, CONTENT, path=GEMINI) == "hit"
        batch = {"requests": [CONTENT | {"model": "models/fast"}]}
        assert (
            await embed(gateway, batch, path=GEMINI.replace("embedContent", "batchEmbedContents")) == "miss"
        )


async def test_callers_have_their_wishes(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, cache={}) as gateway:

        async def wishing(wish: str) -> str:
            return await embed(gateway, headers=gateway.identity() | {"cache-control": wish})

        assert await wishing("no-store") == "miss"
        assert await wishing("no-cache") == "bypass"
        await kept(gateway)
        assert await wishing("no-store") == "hit"
        assert (
            await gateway.hear(ASK, path=PATH, headers={**gateway.identity(), "cache-control": "max-age=x"})
        ).status == 400


async def test_what_is_not_meant_to_be_kept_is_not(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, cache={"models": ["other"]}) as gateway:
        assert [await embed(gateway), await embed(gateway)] == ["none", "none"]
    async with opened(provider, cache={"max_reply_bytes": 10}) as gateway:
        assert [await embed(gateway), await embed(gateway)] == ["miss", "miss"]
    async with opened(provider, cache={}) as gateway:
        provider.will(error(400), embeddings([1.0]))
        assert (await gateway.hear(ASK, path=PATH)).status == 400
        assert await embed(gateway) == "miss"


async def test_who_may_not_ask_any_more_is_not_answered(opened: Open, provider: ScriptedProvider) -> None:
    policy = {"rules": [rule(sub="user:alice")]}
    async with opened(provider, cache={"share": "tenant"}, policy=policy) as gateway:
        await embed(gateway, caller=ALICE)
        await kept(gateway)
        assert (await gateway.hear(ASK, path=PATH, caller=BOB)).status == 404
