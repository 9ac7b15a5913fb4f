"""Texts as vectors in Gemini's words, both ways: what its callers ask for, and what its providers are asked.

Source: https://ai.google.dev/api/embeddings
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from llm_gateway.formats.gemini import answer
from llm_gateway.formats.gemini.case import camel
from llm_gateway.formats.gemini.contents import told
from llm_gateway.formats.gemini.usage import read as read_usage
from shared.errors import BadRequest
from shared.ledger.entry import Usage

Vector = Sequence[float]


class Wanted(Struct, frozen=True, kw_only=True):
    """`batch`: it came as batchEmbedContents and is answered in that shape. `task` and `title` say what the
    vectors are for (RETRIEVAL_QUERY …), `dimensions` how many numbers each shall have.
    """

    texts: tuple[str, ...]
    batch: bool = True
    dimensions: int | None = None
    task: str = ""
    title: str = ""


class Made(Struct, frozen=True):
    vectors: tuple[tuple[float, ...], ...]
    usage: Usage | None = None


class _Part(Struct, frozen=True):
    text: str


class _Content(Struct, frozen=True):
    parts: list[_Part]


class _Request(Struct, frozen=True, rename="camel"):
    content: _Content
    model: str = ""
    task_type: str = ""
    title: str = ""
    output_dimensionality: int | None = None


class _Values(Struct, frozen=True):
    values: tuple[float, ...]


class _Reply(Struct, frozen=True, rename="camel"):
    embeddings: list[_Values | None] | None = None
    embedding: _Values | None = None
    usage_metadata: Raw = Raw()
    error: Raw = Raw()


_decode = msgspec.json.Decoder(_Reply).decode


def read(body: bytes, model: str, *, batch: bool) -> Wanted:
    """What a caller asks of `model`, which is the path's. Raises BadRequest, naming the member."""
    try:
        given = camel(msgspec.json.decode(body))
        kind = dict[str, list[_Request]] if batch else _Request
        found: Any = msgspec.convert(given, kind, strict=False)
    except (ValueError, RecursionError) as error:
        raise BadRequest(told(error), cause=error) from error
    requests: list[_Request] = found.get("requests", []) if batch else [found]
    if not requests:
        raise BadRequest("requests must be a list with at least one request", data={"param": "requests"})
    return _alike(requests, model, batch=batch)


def _alike(requests: Sequence[_Request], model: str, *, batch: bool) -> Wanted:
    """One task and size for all: other providers know nothing else, and Google's client sends no other."""
    first = requests[0]
    for place, each in enumerate(requests):
        if _manner(each) != _manner(first):
            raise _unlike(
                place, "taskType, title and outputDimensionality must be those of the first request"
            )
        if each.model not in ("", model, f"models/{model}"):
            raise _unlike(place, "model must be the one of the path, or be left out")
    return Wanted(
        texts=tuple("\n".join(part.text for part in each.content.parts) for each in requests),
        batch=batch,
        dimensions=first.output_dimensionality,
        task=first.task_type,
        title=first.title,
    )


def _manner(given: _Request) -> tuple[str, str, int | None]:
    return given.task_type, given.title, given.output_dimensionality


def _unlike(place: int, what: str) -> BadRequest:
    return BadRequest(f"requests[{place}]: {what}", data={"param": f"requests[{place}]"})


def reply(vectors: Sequence[Vector], usage: Usage | None, *, batch: bool) -> bytes:
    made: dict[str, Any] = {"embeddings": [{"values": list(vector)} for vector in vectors]}
    if not batch:
        made = {"embedding": made["embeddings"][0]}
    if usage is not None:
        made["usageMetadata"] = {"promptTokenCount": usage.tokens_in, "totalTokenCount": usage.tokens_in}
    return msgspec.json.encode(made)


def request(wanted: Wanted, model: str) -> bytes:
    """The body for a provider's `:batchEmbedContents`. Raises BadRequest."""
    path = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
    shared = {"taskType": wanted.task, "title": wanted.title, "outputDimensionality": wanted.dimensions}
    given = {name: value for name, value in shared.items() if value}
    requests = [{"model": path, "content": {"parts": [{"text": text}]}, **given} for text in wanted.texts]
    try:
        return msgspec.json.encode({"requests": requests})
    except UnicodeEncodeError as error:
        raise BadRequest("a text holds half a character", cause=error) from error


def made(body: bytes, count: int) -> Made:
    """A provider's vectors, as many as were asked for. Raises UpstreamRefused, UpstreamBroken."""
    try:
        found = _decode(body)
    except (ValueError, RecursionError) as error:
        raise answer.broken(error) from error
    listed = found.embeddings if found.embeddings is not None else [found.embedding]
    vectors = [each.values for each in listed if each is not None]
    answer.check(body, error=found.error, known=len(vectors) == count)
    return Made(tuple(vectors), read_usage(found.usage_metadata))
