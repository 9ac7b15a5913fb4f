"""Legacy completions, moderations and rankings."""

import openai
import pytest
from openai.types import ModerationMultiModalInputParam

from shared.ledger.entry import Outcome
from tests.llm_gateway.gateway import Gateway
from tests.support.endpoint_provider import body, text_completion, text_stream
from tests.support.providers import REAL_MODEL, ScriptedProvider, cut, error, sending, whole

USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
RESULTS = [{"index": 1, "relevance_score": 0.9}]
RANK = {"model": "fast", "query": "what?", "documents": ["one", {"text": "two"}]}


async def test_a_completion(client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway) -> None:
    provider.will(body(text_completion(USAGE)))
    answer = await client.completions.create(model="fast", prompt=["Hello", "Hi"], max_tokens=7)
    assert answer.choices[0].text == " there"
    assert provider.last.path == "/v1/completions"
    assert provider.last.json == {"model": REAL_MODEL, "prompt": ["Hello", "Hi"], "max_tokens": 7}
    row = await alone.service.row()
    assert (row.tokens_in, row.tokens_out, row.cost_micros) == (5, 7, 5 + 28)


async def test_a_stream_is_counted_without_its_caller_noticing(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway
) -> None:
    provider.will(text_stream("a", "b", usage=USAGE))
    answer = await client.completions.create(model="fast", prompt="Hello", stream=True)
    parts = [part async for part in answer]
    assert "".join(part.choices[0].text for part in parts) == "ab"
    assert provider.last.json["stream_options"] == {"include_usage": True}
    row = await alone.service.row()
    assert (row.tokens_in, row.tokens_out, row.findings) == (5, 7, ())


async def test_a_caller_that_wants_the_count_gets_it(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    provider.will(text_stream("a", usage=USAGE))
    answer = await client.completions.create(
        model="fast", prompt=[1, 2], stream=True, stream_options={"include_usage": True}
    )
    parts = [part async for part in answer]
    assert parts[-1].usage is not None
    assert parts[-1].usage.completion_tokens == 7


async def test_a_completion_that_is_cut(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway
) -> None:
    chunk = b'data: {"choices":[{"index":0,"text":"a"}]}\n\n'
    provider.will(sending([chunk], then=cut))
    answer = await client.completions.create(model="fast", prompt="Hello", stream=True)
    with pytest.raises(openai.APIError, match="cut off"):
        [part async for part in answer]
    row = await alone.service.row()
    assert (row.outcome, row.tokens_out, row.findings) == (Outcome.BROKEN, 1, ("usage:estimated",))


async def test_a_moderation(client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway) -> None:
    provider.will(body({"id": "modr-1", "model": REAL_MODEL, "results": []}))
    answer = await client.moderations.create(input=["fine", "also fine"])
    assert answer.id == "modr-1"
    assert provider.last.json == {"model": REAL_MODEL, "input": ["fine", "also fine"]}
    row = await alone.service.row()
    assert (row.resource, row.tokens_in, row.cost_micros) == ("model:omni-moderation-latest", 3, 0)


async def test_a_moderation_of_an_image(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(body({"id": "modr-1", "model": REAL_MODEL, "results": []}))
    parts: list[ModerationMultiModalInputParam] = [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]
    await client.moderations.create(model="fast", input=parts)
    assert provider.last.json["model"] == REAL_MODEL


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        ({"meta": {"billed_units": {"search_units": 2}}}, (0, 2, ())),
        ({"meta": {"billed_units": {"input_tokens": 44}}}, (44, 0, ())),
        ({"usage": {"total_tokens": 31}}, (31, 0, ())),
        ({}, (2, 1, ("usage:estimated",))),
    ],
)
async def test_a_ranking(
    plain: Gateway,
    provider: ScriptedProvider,
    path: str,
    counted: dict[str, object],
    expected: tuple[int, int, tuple[str, ...]],
) -> None:
    provider.will(body({"id": "1", "results": RESULTS, **counted}))
    heard = await plain.hear(RANK, path=path)
    assert heard.json["results"] == RESULTS
    assert provider.last.path == "/v1/rerank"
    assert provider.last.json == {**RANK, "model": REAL_MODEL}
    row = await plain.service.row()
    assert (row.tokens_in, row.units, row.findings) == expected


@pytest.mark.parametrize("said", [whole(b"[]"), whole(b'{"results":1}'), error(503), error(429)])
async def test_a_ranking_that_fails(plain: Gateway, provider: ScriptedProvider, said: object) -> None:
    provider.will(said)  # type: ignore[arg-type]
    heard = await plain.hear(RANK, path="/v1/rerank")
    assert heard.status in (502, 503, 429)
    assert heard.error["type"] == "upstream_error"


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/rerank", {"model": "fast", "query": "a", "documents": []}),
        ("/v1/rerank", {"model": "fast", "query": "a", "documents": [1]}),
        ("/v1/rerank", {"model": "fast", "documents": ["a"]}),
        ("/v1/moderations", {"model": "fast"}),
        ("/v1/moderations", {"input": [1]}),
        ("/v1/completions", {"model": "fast", "prompt": {}}),
        ("/v1/completions", {"model": "fast", "prompt": "a", "max_tokens": -1}),
        ("/v1/completions", {"model": "fast", "prompt": "a", "n": 0}),
    ],
)
async def test_what_cannot_be_understood_is_refused(
    plain: Gateway, provider: ScriptedProvider, path: str, asked: dict[str, object]
) -> None:
    assert (await plain.hear(asked, path=path)).status == 400
    assert provider.calls == []
