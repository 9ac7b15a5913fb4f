"""Embeddings through the official client: the encoding that was asked for, whatever the provider knows."""

import math
import struct
from base64 import b64decode

import openai
import pytest

from llm_gateway.endpoints.embeddings import Embeddings
from shared.errors import BadRequest
from tests.llm_gateway.gateway import Gateway
from tests.support.endpoint_provider import body, embeddings, packed
from tests.support.providers import REAL_MODEL, Behaviour, ScriptedProvider, completion, error, whole

VECTOR = [0.25, -1.5, 3.0]


async def test_the_default_of_the_client_comes_back_as_numbers(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway
) -> None:
    provider.will(embeddings(packed(*VECTOR)))
    answer = await client.embeddings.create(model="fast", input="hello", dimensions=3)
    assert answer.data[0].embedding == VECTOR
    assert answer.usage.prompt_tokens == 9
    assert provider.last.path == "/v1/embeddings"
    assert provider.last.json == {
        "model": REAL_MODEL,
        "input": "hello",
        "dimensions": 3,
        "encoding_format": "base64",
    }
    row = await alone.service.row()
    assert (row.tokens_in, row.tokens_out, row.cost_micros, row.findings) == (9, 0, 9, ())
    assert (row.resource, row.model, row.provider) == ("model:fast", REAL_MODEL, "main")


async def test_a_provider_that_knows_numbers_only_is_helped_out(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    provider.will(embeddings(VECTOR, [1.0, 2.0, 3.0]))
    answer = await client.embeddings.create(model="fast", input=["a", "b"])
    assert [item.embedding for item in answer.data] == [VECTOR, [1.0, 2.0, 3.0]]


async def test_base64_is_of_little_endian_floats(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    provider.will(embeddings([1.0, 1 / 3]))
    answer = await client.embeddings.with_raw_response.create(
        model="fast", input="a", encoding_format="base64"
    )
    text = answer.http_response.json()["data"][0]["embedding"]
    assert b64decode(text) == struct.pack("<ff", 1.0, 1 / 3)


@pytest.mark.parametrize("said", [VECTOR, packed(*VECTOR)])
async def test_numbers_stay_or_become_numbers(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, said: list[float] | str
) -> None:
    provider.will(embeddings(said))
    answer = await client.embeddings.create(model="fast", input=[[1, 2], [3]], encoding_format="float")
    assert answer.data[0].embedding == VECTOR


async def test_bytes_pass_where_nothing_has_to_change(plain: Gateway, provider: ScriptedProvider) -> None:
    said = b'{ "object":"list","data":[{"embedding" : [1e0,2]}],"more":{"a":[ ]} ,"usage":{"total_tokens":4}}'
    provider.will(whole(said))
    heard = await plain.hear(b'{"model":"fast","input":[1,2,3]}', path="/v1/embeddings")
    assert heard.body == said
    assert (await plain.service.row()).tokens_in == 4


async def test_without_a_count_it_is_guessed(plain: Gateway, provider: ScriptedProvider) -> None:
    provider.will(embeddings(VECTOR, usage=None))
    await plain.hear({"model": "fast", "input": ["x" * 40, "y" * 40]}, path="/v1/embeddings")
    row = await plain.service.row()
    assert (row.tokens_in, row.tokens_out, row.findings) == (20, 0, ("usage:estimated",))


BROKEN: dict[str, tuple[str, Behaviour]] = {
    "garbage": ("base64", whole(b"garbage")),
    "another object": ("base64", whole(b'{"hello":1}')),
    "another answer": ("base64", completion()),
    "no base64": ("float", body({"data": [{"embedding": "not base64!"}], "usage": {}})),
    "half a float": ("float", body({"data": [{"embedding": "AAAA"}]})),
    "texts": ("base64", body({"data": [{"embedding": ["a"]}]})),
    "too large": ("base64", whole(b'{"data":[{"embedding":[1e999]}]}')),
    "500": ("base64", error(500)),
    "401": ("base64", error(401)),
    "404": ("base64", error(404)),
    "error at 200": ("base64", whole(b'{"error":{"message":"no","code":500}}')),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_no_answer_is_a_clear_error(
    plain: Gateway, provider: ScriptedProvider, name: str
) -> None:
    wanted, said = BROKEN[name]
    provider.will(said)
    asked = {"model": "fast", "input": "a", "encoding_format": wanted}
    heard = await plain.hear(asked, path="/v1/embeddings")
    assert (heard.status, heard.error["type"]) == (502, "upstream_error")


async def test_the_providers_words_reach_the_caller(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    provider.will(error(400, message="too many dimensions"))
    with pytest.raises(openai.BadRequestError, match="too many dimensions"):
        await client.embeddings.create(model="fast", input="a")


@pytest.mark.parametrize(
    "request_body",
    [
        b"[]",
        b"{}",
        b'{"model":"fast"}',
        b'{"input":"a"}',
        b'{"model":1,"input":"a"}',
        b'{"model":"fast","input":{}}',
        b'{"model":"fast","input":[{}]}',
        b'{"model":"fast","input":"a","encoding_format":"hex"}',
        b'{"model":"fast","model":"secret","input":"a"}',
        b'{"model":"fast","mod\\u0065l":"secret","input":"a"}',
        b'{"model":"fast","MODEL":"secret","input":"a"}',
    ],
)
async def test_what_cannot_be_understood_is_refused(plain: Gateway, request_body: bytes) -> None:
    heard = await plain.hear(request_body, path="/v1/embeddings")
    assert (heard.status, heard.error["type"]) == (400, "invalid_request_error")


def test_texts_are_there_for_guards() -> None:
    asked = Embeddings().read(b'{"model":"m","input":["one","two",[1,2]]}', "application/json", {})
    assert asked.texts == ("one", "two")
    assert asked.tokens_in == 2 + math.floor(6 / 4)
    with pytest.raises(BadRequest):
        Embeddings().read(b'{"model":"m","input":3}', "application/json", {})
