"""Ranking documents by a query, in the form that Cohere has set and Jina, vLLM, NVIDIA and others follow.

Source: https://docs.cohere.com/reference/rerank and https://jina.ai/reranker
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from llm_gateway.catalog import Target
from llm_gateway.endpoints.answers import decoded
from llm_gateway.endpoints.counted import read_usage
from llm_gateway.endpoints.endpoint import Inquiry, Outbound, Params, Spoken, Whole
from llm_gateway.endpoints.json_body import ANYTHING, NAME, read_members, respelled, tokens_of
from shared.errors import BadRequest
from shared.ledger.entry import Usage

# What Cohere calls one search: a query with up to so many documents.
_SEARCH_UNIT = 100
_DOCUMENTS = msgspec.json.Decoder(list[str | dict[str, Any]])


class _Billed(Struct, frozen=True):
    search_units: float | None = None
    input_tokens: float | None = None


class _Meta(Struct, frozen=True):
    billed_units: _Billed | None = None


class _Reply(Struct, frozen=True):
    results: list[Raw]
    meta: _Meta | None = None
    usage: Raw = Raw()


_reply = msgspec.json.Decoder(_Reply)


class Rerank(Spoken):
    name = "rerank"
    paths: tuple[str, ...] = ("/v1/rerank", "/v2/rerank")
    form = False

    def read(self, body: bytes, content_type: str, params: Params) -> Inquiry:
        request = read_members(body)
        query: Any = request.need("query", ANYTHING)
        documents = request.need("documents", _DOCUMENTS)
        if not documents:
            raise BadRequest("documents must not be empty", data={"param": "documents"})
        texts = (*_texts([query]), *_texts(documents))
        return Inquiry(
            model=request.need("model", NAME),
            stream=False,
            body=body,
            spans=request.spans,
            tokens_in=tokens_of(texts),
            units=-(-len(documents) // _SEARCH_UNIT),
            texts=texts,
        )

    def outbound(self, inquiry: Inquiry, target: Target) -> Outbound:
        return Outbound(path="/rerank", body=(respelled(inquiry.body, inquiry.spans, target.model),))

    def whole(self, inquiry: Inquiry, target: Target, body: bytes, content_type: str) -> Whole:
        reply = decoded(body, _reply, "ranking")
        billed = reply.meta.billed_units if reply.meta is not None else None
        if billed is not None and billed.search_units is not None:
            return Whole(body, Usage(units=max(0, round(billed.search_units))))
        if billed is not None and billed.input_tokens is not None:
            return Whole(body, Usage(tokens_in=max(0, round(billed.input_tokens))))
        return Whole(body, read_usage(reply.usage))


def _texts(documents: list[Any]) -> tuple[str, ...]:
    """What is said in documents: texts, or objects with texts in them."""
    found: list[str] = []
    for document in documents:
        if isinstance(document, str):
            found.append(document)
        elif isinstance(document, dict):
            found += [value for value in document.values() if isinstance(value, str)]
    return tuple(found)
