"""Embeddings for callers that speak Gemini's form, from whichever provider the model is at.

Source: https://ai.google.dev/api/embeddings
"""

from typing import Any

import msgspec

from llm_gateway.catalog import Target
from llm_gateway.endpoints.embeddings import Embeddings
from llm_gateway.endpoints.endpoint import Inquiry, Outbound, Params, Shape, Whole, shape_of, speaks_openai
from llm_gateway.endpoints.gemini_embeddings import place_of
from llm_gateway.endpoints.json_body import tokens_of
from llm_gateway.formats import StreamReader
from llm_gateway.formats.gemini import embeddings, model_of
from llm_gateway.providers import Provider
from shared.asgi import Headers
from shared.dialects import Dialect
from shared.dialects.gemini import Gemini, rate_headers
from shared.errors import BadRequest, UpstreamBroken
from shared.limits.limiter import Lease

# What a path captures under this name is asked for many at once.
_BATCHED = "batched"
_openai = Embeddings()


class GeminiInquiry(Inquiry, frozen=True, kw_only=True):
    wanted: embeddings.Wanted


class _Vector(msgspec.Struct, frozen=True):
    embedding: list[float]


class _Vectors(msgspec.Struct, frozen=True):
    data: list[_Vector]


_vectors = msgspec.json.Decoder(_Vectors)


class GeminiClient:
    name = "embeddings"
    paths: tuple[str, ...] = tuple(
        f"{mount}/{version}/models/{call}"
        for mount in ("", "/gemini")
        for version in ("v1", "v1beta")
        for call in ("{model:path}:embedContent", f"{{{_BATCHED}:path}}:batchEmbedContents")
    )
    form = False
    dialect: Dialect = Gemini()

    def read(self, body: bytes, content_type: str, params: Params) -> GeminiInquiry:
        batch = _BATCHED in params
        model = model_of(params[_BATCHED] if batch else params["model"])
        wanted = embeddings.read(body, model, batch=batch)
        return GeminiInquiry(
            model=model,
            stream=False,
            body=b"",
            spans={},
            tokens_in=tokens_of(wanted.texts),
            texts=wanted.texts,
            lasting=msgspec.json.encode(wanted),
            wanted=wanted,
        )

    def rate_headers(self, lease: Lease) -> Headers:
        return rate_headers(lease)

    def answers(self, provider: Provider) -> bool:
        return _openai.answers(provider)

    def outbound(self, inquiry: Inquiry, target: Target) -> Outbound:
        assert isinstance(inquiry, GeminiInquiry)
        wanted = inquiry.wanted
        if not speaks_openai(target.provider):
            body = embeddings.request(wanted, target.model)
            return Outbound(address=place_of(target), body=(body,))
        if (wanted.task or wanted.title) and target.refuses_loss:
            raise BadRequest(
                "the model cannot be told what its vectors are for: leave taskType and title out",
                data={"param": "taskType"},
            )
        asked: dict[str, Any] = {"model": target.model, "input": wanted.texts, "encoding_format": "float"}
        if wanted.dimensions is not None:
            asked["dimensions"] = wanted.dimensions
        return Outbound(path="/embeddings", body=(msgspec.json.encode(asked),), foreign=True)

    def shape(self, inquiry: Inquiry, content_type: str) -> Shape:
        return shape_of(inquiry, content_type)

    def whole(self, inquiry: Inquiry, target: Target, body: bytes, content_type: str) -> Whole:
        assert isinstance(inquiry, GeminiInquiry)
        wanted = inquiry.wanted
        if not speaks_openai(target.provider):
            made = embeddings.made(body, len(wanted.texts))
            return Whole(embeddings.reply(made.vectors, made.usage, batch=wanted.batch), made.usage)
        answered = _openai.whole(inquiry, target, body, content_type)
        try:
            vectors = [item.embedding for item in _vectors.decode(answered.body).data]
        except (ValueError, RecursionError) as error:
            raise UpstreamBroken("the provider's answer is no list of embeddings", cause=error) from error
        if len(vectors) != len(wanted.texts):
            raise UpstreamBroken("the provider has made another number of vectors than it was asked for")
        return Whole(embeddings.reply(vectors, answered.usage, batch=wanted.batch), answered.usage)

    def reader(self, inquiry: Inquiry) -> StreamReader:
        raise NotImplementedError("embeddings are never streamed")
