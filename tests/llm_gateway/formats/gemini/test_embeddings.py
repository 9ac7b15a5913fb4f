"""Embeddings in Gemini's words, both ways."""

from typing import Any

import msgspec
import pytest

from llm_gateway.formats.gemini.embeddings import Made, Wanted, made, read, reply, request
from shared.errors import BadRequest, UpstreamBroken, UpstreamRefused
from shared.ledger.entry import Usage


def one(text: str = "a", **more: Any) -> dict[str, Any]:
    return {"model": "models/m", "content": {"parts": [{"text": text}]}, **more}


def body(*requests: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"requests": requests})


def test_a_batch_is_read() -> None:
    given = body(
        one("a", taskType="CLUSTERING", output_dimensionality=8),
        one("b", task_type="CLUSTERING", outputDimensionality=8),
    )
    assert read(given, "m", batch=True) == Wanted(texts=("a", "b"), dimensions=8, task="CLUSTERING")


def test_a_single_request_is_read() -> None:
    given = msgspec.json.encode({"content": {"parts": [{"text": "a"}, {"text": "b"}]}})
    assert read(given, "m", batch=False) == Wanted(texts=("a\nb",), batch=False)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (b"{}", "at least one"),
        (b"[]", "object"),
        (body(one(), one(model="models/other")), r"requests\[1\]: model"),
        (body(one(), one(title="x")), r"requests\[1\]: taskType"),
        (body({"content": {"parts": [{}]}}), "text"),
    ],
)
def test_what_is_no_batch_is_refused(given: bytes, told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        read(given, "m", batch=True)


def test_vectors_are_answered_in_the_shape_that_was_asked_for() -> None:
    usage = Usage(tokens_in=3)
    counted = {"promptTokenCount": 3, "totalTokenCount": 3}
    assert msgspec.json.decode(reply([[0.5]], usage, batch=True)) == {
        "embeddings": [{"values": [0.5]}],
        "usageMetadata": counted,
    }
    assert msgspec.json.decode(reply([[0.5]], None, batch=False)) == {"embedding": {"values": [0.5]}}


def test_a_provider_is_asked_for_a_batch() -> None:
    assert msgspec.json.decode(request(Wanted(texts=("a",), dimensions=2, task="CLUSTERING"), "m")) == {
        "requests": [one("a", taskType="CLUSTERING", outputDimensionality=2)]
    }


def test_a_providers_vectors_are_read() -> None:
    assert made(reply([[1.0, 2.0], [3.0, 4.0]], Usage(tokens_in=3), batch=True), 2) == Made(
        ((1.0, 2.0), (3.0, 4.0)), Usage(tokens_in=3)
    )
    assert made(reply([[1.0]], None, batch=False), 1) == Made(((1.0,),))


@pytest.mark.parametrize("wrong", [b"", b"{}", b'{"embeddings":[]}', b'{"embeddings":[{"values":["x"]}]}'])
def test_what_holds_no_vectors_is_broken(wrong: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        made(wrong, 1)


def test_an_error_is_the_providers_refusal() -> None:
    with pytest.raises(UpstreamRefused):
        made(b'{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}', 1)
