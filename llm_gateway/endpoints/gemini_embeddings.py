"""Embeddings of Gemini's models for callers that speak OpenAI's form."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from llm_gateway.catalog import Target
from llm_gateway.endpoints.endpoint import Inquiry, Outbound
from llm_gateway.formats.gemini import embeddings
from llm_gateway.providers import Provider
from llm_gateway.providers.gemini import GeminiProvider
from shared.errors import BadRequest

_DIMENSIONS: msgspec.json.Decoder[int | None] = msgspec.json.Decoder(
    Annotated[int, Meta(ge=1, le=65_536)] | None
)
_INPUT: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


class GeminiEmbeddings:
    def answers(self, provider: Provider) -> bool:
        # Vertex has no such verb for its models.
        return isinstance(provider, GeminiProvider) and provider.section.kind == "gemini"

    def outbound(self, inquiry: Inquiry, target: Target) -> Outbound:
        given = _INPUT.decode(inquiry.body[slice(*inquiry.spans["input"])])
        if not inquiry.texts or (isinstance(given, list) and len(given) != len(inquiry.texts)):
            raise BadRequest("this model takes texts, not tokens", data={"param": "input"})
        wanted = embeddings.Wanted(texts=inquiry.texts, dimensions=_dimensions(inquiry))
        return Outbound(
            address=place_of(target),
            body=(embeddings.request(wanted, target.model),),
            foreign=True,
        )

    def reply(self, inquiry: Inquiry, target: Target, body: bytes) -> bytes:
        made = embeddings.made(body, len(inquiry.texts))
        data = [
            {"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(made.vectors)
        ]
        found: dict[str, Any] = {"object": "list", "data": data, "model": target.model}
        if made.usage is not None:
            tokens = made.usage.tokens_in
            found["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
        return msgspec.json.encode(found)


def _dimensions(inquiry: Inquiry) -> int | None:
    place = inquiry.spans.get("dimensions")
    if place is None:
        return None
    try:
        return _DIMENSIONS.decode(inquiry.body[slice(*place)])
    except ValueError as error:
        raise BadRequest("dimensions must be a positive number", data={"param": "dimensions"}) from error


def place_of(target: Target) -> str:
    assert isinstance(target.provider, GeminiProvider)
    return target.provider.place(target.model) + ":batchEmbedContents"
