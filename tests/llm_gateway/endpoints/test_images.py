"""Images through the official client: made, changed and varied, whole and in a stream."""

import asyncio

import openai
import pytest

from shared.ledger.entry import Outcome
from tests.llm_gateway.gateway import PROVIDER_KEY, Gateway
from tests.support.endpoint_provider import IMAGE_USAGE, event, form_of, image_events, images
from tests.support.providers import REAL_MODEL, ScriptedProvider, cut, error, held, sending, whole

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


async def test_images_that_count_tokens(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway
) -> None:
    provider.will(images(2, IMAGE_USAGE))
    answer = await client.images.generate(model="fast", prompt="a cat", n=2)
    assert answer.data is not None
    assert len(answer.data) == 2
    assert provider.last.path == "/v1/images/generations"
    assert provider.last.json == {"model": REAL_MODEL, "prompt": "a cat", "n": 2}
    row = await alone.service.row()
    assert (row.tokens_in, row.image_in, row.tokens_out, row.units) == (50, 40, 200, 0)
    assert row.cost_micros == 10 * 1 + 40 * 2 + 200 * 4


async def test_images_that_are_paid_by_the_image(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway
) -> None:
    provider.will(images(2))
    await client.images.generate(model="drawn", prompt="a cat", n=2)
    row = await alone.service.row()
    assert (row.units, row.cost_micros, row.findings) == (2, 80_000, ())


async def test_a_stream_of_images(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway
) -> None:
    provider.will(sending(image_events()))
    answer = await client.images.generate(model="fast", prompt="a cat", stream=True, partial_images=2)
    assert [part.type async for part in answer] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    row = await alone.service.row()
    assert (row.tokens_in, row.tokens_out, row.outcome) == (50, 200, Outcome.COMPLETED)


async def test_an_edit_is_sent_on_as_a_form_of_our_own(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway
) -> None:
    provider.will(images(1, IMAGE_USAGE))
    await client.images.edit(model="fast", image=[PNG, b"second"], mask=("m.png", b"mask"), prompt="hat")
    form = form_of(provider.last)
    assert form["model"] == [(None, REAL_MODEL.encode())]
    assert form["prompt"] == [(None, b"hat")]
    assert [value for _, value in form["image[]"]] == [PNG, b"second"]
    assert form["mask"] == [("m.png", b"mask")]
    assert provider.last.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert (await alone.service.row()).image_in == 40


async def test_an_edit_in_a_stream(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(sending(image_events("image_edit", partial=1)))
    answer = await client.images.edit(model="fast", image=PNG, prompt="hat", stream=True)
    assert [part.type async for part in answer] == ["image_edit.partial_image", "image_edit.completed"]


async def test_a_variation(client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway) -> None:
    provider.will(images(1))
    with pytest.deprecated_call():
        await client.images.create_variation(model="drawn", image=PNG)
    assert form_of(provider.last)["image"][0][1] == PNG
    assert (await alone.service.row()).units == 1


async def test_an_edit_of_images_that_are_named_in_json(plain: Gateway, provider: ScriptedProvider) -> None:
    provider.will(images())
    headers = plain.identity() | {"content-type": "application/json"}
    asked = {"model": "fast", "prompt": "hat", "images": [{"image_url": "data:image/png;base64,AA=="}]}
    heard = await plain.hear(asked, path="/v1/images/edits", headers=headers)
    assert heard.status == 200
    assert provider.last.json == {**asked, "model": REAL_MODEL}


async def test_a_stream_that_is_cut(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway
) -> None:
    provider.will(sending(image_events()[:1], then=cut))
    answer = await client.images.generate(model="fast", prompt="a cat", stream=True)
    with pytest.raises(openai.APIError, match="cut off"):
        [part async for part in answer]
    row = await alone.service.row()
    assert (row.outcome, row.findings) == (Outcome.BROKEN, ("usage:estimated",))


async def test_a_stream_that_ends_too_early(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(sending(image_events()[:1]))
    answer = await client.images.generate(model="fast", prompt="a cat", stream=True)
    with pytest.raises(openai.APIError, match="before it was complete"):
        [part async for part in answer]


async def test_an_error_in_a_stream_comes_in_the_providers_words_but_without_its_key(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    failed = event("error", error={"message": f"policy {PROVIDER_KEY}", "code": "moderation"})
    gate = asyncio.Event()
    provider.will(held([image_events()[0]], gate, [failed]))
    answer = await client.images.generate(model="fast", prompt="a cat", stream=True)
    assert (await anext(answer)).type == "image_generation.partial_image"
    gate.set()
    with pytest.raises(openai.APIError, match=r"policy \*\*\*"):
        [part async for part in answer]


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (400, openai.BadRequestError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
async def test_errors_of_the_provider(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, status: int, raised: type[Exception]
) -> None:
    provider.will(error(status))
    with pytest.raises(raised):
        await client.images.generate(model="fast", prompt="a cat")
    with pytest.raises(openai.APIStatusError):
        await client.images.edit(model="fast", image=PNG, prompt="hat")


async def test_an_answer_that_is_none(plain: Gateway, provider: ScriptedProvider) -> None:
    asked = {"model": "fast", "prompt": "a cat"}
    for said in (whole(b"<html>"), whole(b'{"data":3}'), sending(image_events())):
        provider.will(said)
        assert (await plain.hear(asked, path="/v1/images/generations")).status == 502


@pytest.mark.parametrize(
    "chunk", [b"data: garbage\n\n", b"data: [1]\n\n", b'data: {"error":{"code":503}}\n\n']
)
async def test_a_stream_that_does_not_begin_is_a_clear_error(
    plain: Gateway, provider: ScriptedProvider, chunk: bytes
) -> None:
    provider.will(sending([chunk]))
    asked = {"model": "fast", "prompt": "a cat", "stream": True}
    heard = await plain.hear(asked, path="/v1/images/generations")
    assert heard.status in (502, 503)
    assert heard.error["type"] == "upstream_error"
