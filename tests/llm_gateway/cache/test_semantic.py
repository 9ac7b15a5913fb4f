"""Questions that mean the same share an answer; those that only sound the same do not."""

import asyncio
from typing import Any

import pytest

from llm_gateway.cache.namespace import Kept, Namespace, pack
from llm_gateway.cache.similar import telling
from shared.embed import embed
from shared.redis_client import Redis
from tests.llm_gateway.cache.test_exact import kept
from tests.llm_gateway.conftest import Open
from tests.support.providers import ScriptedProvider

NEAR = {"semantic": {"threshold": 0.75}}


def body(text: str, system: str = "Be brief.") -> dict[str, Any]:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    return {"model": "fast", "messages": messages}


@pytest.mark.parametrize(
    ("other", "calls"),
    [
        ("How can I reset my password, please?", 1),
        ("What is the weather in Oslo?", 2),
        ("How can I not reset my password?", 2),
        ("How do I reset my password 2 times?", 2),
    ],
)
async def test_only_a_question_that_means_the_same_is_answered_from_memory(
    opened: Open, provider: ScriptedProvider, other: str, calls: int
) -> None:
    async with opened(provider, cache=NEAR) as gateway:
        await gateway.hear(body("How do I reset my password?"))
        await kept(gateway)
        answer = await gateway.hear(body(other))
        assert len(provider.calls) == calls
        assert f"cache={'semantic' if calls == 1 else 'miss'}" in answer.headers["x-gatestack-answer"]


async def test_another_conversation_is_another_question(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, cache=NEAR) as gateway:
        await gateway.hear(body("How do I reset my password?"))
        await kept(gateway)
        await gateway.hear(body("How can I reset my password?", system="Answer in rhymes."))
        assert len(provider.calls) == 2


async def test_an_answer_that_has_run_out_is_not_found_by_meaning(
    opened: Open, provider: ScriptedProvider
) -> None:
    async with opened(provider, cache=NEAR) as gateway:
        await gateway.hear(body("How do I reset my password?"))
        await kept(gateway)
        redis = gateway.service.parts.redis
        for name in await redis.execute("KEYS", "gs:*answer:*"):
            await redis.execute("DEL", name)
        answer = await gateway.hear(body("How can I reset my password?"))
        assert "cache=miss" in answer.headers["x-gatestack-answer"]


async def test_an_embeddings_endpoint_can_be_asked_instead(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    async def rows(call: Any) -> None:
        await call.reply(200, b'{"data":[{"embedding":[0.6,0.8]}]}')

    second.will(rows)
    embedder = {"url": f"{second.base_url}/embeddings", "model": "small", "key": "${KEY}"}
    async with opened(provider, cache={"semantic": {"embedder": embedder}}) as gateway:
        await gateway.hear(body("one thing"))
        await kept(gateway)
        await gateway.hear(body("quite another"))
        assert len(provider.calls) == 1
        assert second.last.json == {"model": "small", "input": "quite another", "encoding_format": "float"}


async def test_an_embedder_that_fails_costs_nothing_but_the_hit(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    embedder = {"url": "http://127.0.0.1:1/embeddings", "model": "small"}
    async with opened(provider, cache={"semantic": {"embedder": embedder}}) as gateway:
        assert (await gateway.hear(body("one thing"))).status == 200


def test_numbers_and_negations_are_telling() -> None:
    assert telling("Don't delete 3,5 of 17 files, never") == "n't 3,5 17 never"


async def test_a_namespace_follows_what_others_have_added_and_stays_bounded(redis: Redis) -> None:
    texts = [f"question about {word}" for word in ("cats", "taxes", "trains", "soup", "chess")]
    vectors = embed(texts)
    for number, vector in enumerate(vectors):
        await redis.execute(
            "XADD",
            "like",
            "*",
            "kept",
            pack(Kept(f"answer-{number}", "", vector.astype("float16").tobytes())),
        )
    namespace = Namespace(4)
    await namespace.follow(redis, "like")
    assert namespace.nearest(vectors[4], "", 0.9) == "answer-4"
    assert namespace.nearest(vectors[4], "7", 0.9) is None
    assert namespace.nearest(vectors[0], "", 0.9) is None


async def test_calls_at_the_same_moment_take_in_what_is_new_once(redis: Redis) -> None:
    vectors = embed(["cats", "taxes", "trains", "soup"])
    for number, vector in enumerate(vectors):
        entry = pack(Kept(f"answer-{number}", "", vector.astype("float16").tobytes()))
        await redis.execute("XADD", "like", "*", "kept", entry)
    namespace = Namespace(4)
    await asyncio.gather(*(namespace.follow(redis, "like") for _ in range(5)))
    assert [namespace.nearest(each, "", 0.9) for each in vectors] == [f"answer-{n}" for n in range(4)]


async def test_what_was_hidden_from_the_provider_is_not_found_by_meaning(
    opened: Open, provider: ScriptedProvider
) -> None:
    """Placeholders make questions equal that are about different people."""
    guards = [{"kind": "pii", "name": "pii", "action": "tokenise"}]
    async with opened(provider, cache=NEAR, guards=guards) as gateway:
        await gateway.hear(body("Write to ada@example.com that we are late"))
        await kept(gateway)
        await gateway.hear(body("Write to bob@example.com that we are late"))
        assert len(provider.calls) == 2
