"""Moderations: what a text or an image is, in OpenAI's categories.

Source: https://platform.openai.com/docs/api-reference/moderations
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from llm_gateway.catalog import Target
from llm_gateway.endpoints.answers import decoded
from llm_gateway.endpoints.counted import read_usage
from llm_gateway.endpoints.endpoint import Inquiry, Outbound, Params, Spoken, Whole
from llm_gateway.endpoints.json_body import NAME, read_members, respelled, tokens_of

# What OpenAI takes where a caller names none, which its own client allows.
_DEFAULT = "omni-moderation-latest"
_INPUT = msgspec.json.Decoder(str | list[str | dict[str, Any]])


class _Reply(Struct, frozen=True):
    results: list[Raw]
    usage: Raw = Raw()


_reply = msgspec.json.Decoder(_Reply)


class Moderations(Spoken):
    name = "moderations"
    paths: tuple[str, ...] = ("/v1/moderations",)
    form = False

    def read(self, body: bytes, content_type: str, params: Params) -> Inquiry:
        request = read_members(body)
        given = request.need("input", _INPUT)
        texts = tuple(_text(item) for item in ([given] if isinstance(given, str) else given))
        return Inquiry(
            model=request.get("model", NAME) or _DEFAULT,
            stream=False,
            body=body,
            spans=request.spans,
            tokens_in=tokens_of(texts),
            texts=tuple(text for text in texts if text),
        )

    def outbound(self, inquiry: Inquiry, target: Target) -> Outbound:
        return Outbound(path="/moderations", body=(respelled(inquiry.body, inquiry.spans, target.model),))

    def whole(self, inquiry: Inquiry, target: Target, body: bytes, content_type: str) -> Whole:
        return Whole(body, read_usage(decoded(body, _reply, "moderation").usage))


def _text(item: str | dict[str, Any]) -> str:
    if isinstance(item, str):
        return item
    text = item.get("text", "")
    return text if isinstance(text, str) else ""
