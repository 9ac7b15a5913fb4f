"""Embeddings, in OpenAI's form. A caller gets the encoding that it asked for, whichever its provider knows.

Source: https://platform.openai.com/docs/api-reference/embeddings
"""

import binascii
import re
import struct
from typing import Any

import msgspec
from msgspec import Raw, Struct

from llm_gateway.catalog import Target
from llm_gateway.endpoints.answers import decoded
from llm_gateway.endpoints.counted import read_usage
from llm_gateway.endpoints.endpoint import Inquiry, Outbound, Params, Spoken, Whole, speaks_openai
from llm_gateway.endpoints.json_body import NAME, Members, read_members, respelled
from llm_gateway.endpoints.translated import TRANSLATED
from llm_gateway.providers import Provider
from shared.errors import BadRequest, UpstreamBroken

_BYTES_PER_TOKEN = 4
_INPUT = msgspec.json.Decoder(str | list[str | int | list[int]])
_ENCODING = msgspec.json.Decoder(str | None)
_FLOATS = re.compile(rb'"embedding"\s*:\s*\[')
_TEXT = re.compile(rb'"embedding"\s*:\s*"')


class _Reply(Struct, frozen=True):
    data: list[Raw]
    usage: Raw = Raw()


_reply = msgspec.json.Decoder(_Reply)
_objects = msgspec.json.Decoder(dict[str, Raw])
_vector = msgspec.json.Decoder(list[float])
_base64 = msgspec.json.Decoder(str)


class Embeddings(Spoken):
    name = "embeddings"
    paths: tuple[str, ...] = ("/v1/embeddings",)
    form = False

    def read(self, body: bytes, content_type: str, params: Params) -> Inquiry:
        request = read_members(body)
        if request.get("encoding_format", _ENCODING) not in (None, "float", "base64"):
            raise BadRequest("encoding_format must be float or base64", data={"param": "encoding_format"})
        texts, tokens = _input(request)
        return Inquiry(
            model=request.need("model", NAME),
            stream=False,
            body=body,
            spans=request.spans,
            tokens_in=tokens,
            texts=texts,
            lasting=body,
        )

    def answers(self, provider: Provider) -> bool:
        return speaks_openai(provider) or any(
            wire in TRANSLATED and TRANSLATED[wire].answers(provider) for wire in provider.wires
        )

    def outbound(self, inquiry: Inquiry, target: Target) -> Outbound:
        if not speaks_openai(target.provider):
            return TRANSLATED[_wire(target)].outbound(inquiry, target)
        return Outbound(path="/embeddings", body=(respelled(inquiry.body, inquiry.spans, target.model),))

    def whole(self, inquiry: Inquiry, target: Target, body: bytes, content_type: str) -> Whole:
        if not speaks_openai(target.provider):
            # Translations answer in floats; what the caller asked for is made of them here.
            body = TRANSLATED[_wire(target)].reply(inquiry, target, body)
        usage = read_usage(decoded(body, _reply, "list of embeddings").usage)
        return Whole(_encoded(body, base64=wants_base64(inquiry)), usage)


def wants_base64(inquiry: Inquiry) -> bool:
    place = inquiry.spans.get("encoding_format")
    return place is not None and inquiry.body[slice(*place)] == b'"base64"'


def _input(request: Members) -> tuple[tuple[str, ...], int]:
    """The texts, and the tokens that they and the tokens among them make."""
    given: Any = request.need("input", _INPUT)
    if isinstance(given, str):
        given = [given]
    texts = tuple(item for item in given if isinstance(item, str))
    tokens = sum(len(item) for item in given if isinstance(item, list))
    tokens += sum(isinstance(item, int) for item in given)
    return texts, tokens + sum(len(text.encode(errors="replace")) for text in texts) // _BYTES_PER_TOKEN


def _wire(target: Target) -> str:
    return next(wire for wire in target.provider.wires if wire in TRANSLATED)


def _encoded(body: bytes, *, base64: bool) -> bytes:
    """`body` with all vectors as they were asked for: as base64 of little-endian floats, or as numbers."""
    if not (_FLOATS if base64 else _TEXT).search(body):
        return body
    try:
        reply = _objects.decode(body)
        items = [_objects.decode(item) for item in decoded(body, _reply, "list of embeddings").data]
        data = [item | {"embedding": _converted(item["embedding"], base64=base64)} for item in items]
    except (ValueError, KeyError, struct.error, OverflowError) as error:
        raise UpstreamBroken(
            "the provider's answer holds something that is no vector", cause=error
        ) from error
    return msgspec.json.encode({**reply, "data": data})


def _converted(raw: Raw, *, base64: bool) -> Raw:
    numbers = bytes(raw).startswith(b"[")
    if numbers and base64:
        vector = _vector.decode(raw)
        packed = binascii.b2a_base64(struct.pack(f"<{len(vector)}f", *vector), newline=False)
        return Raw(b'"' + packed + b'"')
    if not numbers and not base64:
        packed = binascii.a2b_base64(_base64.decode(raw), strict_mode=True)
        return Raw(msgspec.json.encode(struct.unpack(f"<{len(packed) // 4}f", packed)))
    return raw
