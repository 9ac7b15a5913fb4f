"""Legacy completions: a prompt continued, whole or streamed. On the wire almost what chat completions are.

Source: https://platform.openai.com/docs/api-reference/completions
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw

from llm_gateway import members
from llm_gateway.ask import Span
from llm_gateway.catalog import Target
from llm_gateway.endpoints.endpoint import Inquiry, Outbound, Params, Spoken, Whole
from llm_gateway.endpoints.json_body import COUNT, FLAG, NAME, Members, read_members
from llm_gateway.formats import StreamReader
from llm_gateway.formats.openai_chat.stream import OpenAIStream, read_reply

_BYTES_PER_TOKEN = 4
# What a provider writes where a caller sets no end; more than one answer is that many times as much.
_DEFAULT_TOKENS = 16
_PROMPT = msgspec.json.Decoder(str | list[str | int | list[int]] | None)
_TOKENS = msgspec.json.Decoder(Annotated[int, Meta(ge=0, le=2**31 - 1)] | None)
_OPTIONS = msgspec.json.Decoder(dict[str, Raw] | None)


class Completions(Spoken):
    name = "completions"
    paths: tuple[str, ...] = ("/v1/completions",)
    form = False

    def read(self, body: bytes, content_type: str, params: Params) -> Inquiry:
        request = read_members(body)
        prompts, texts, tokens = _prompt(request)
        stream = request.get("stream", FLAG) or False
        options = request.get("stream_options", _OPTIONS) or {}
        allowed = request.get("max_tokens", _TOKENS)
        many = max(request.get("n", COUNT) or 1, request.get("best_of", COUNT) or 1) * prompts
        return Inquiry(
            model=request.need("model", NAME),
            stream=stream,
            body=body,
            spans=request.spans,
            tokens_in=tokens,
            tokens_out=(_DEFAULT_TOKENS if allowed is None else allowed) * many,
            wants_usage=stream and bytes(options.get("include_usage", b"")) == b"true",
            texts=texts,
            talks=True,
        )

    def outbound(self, inquiry: Inquiry, target: Target) -> Outbound:
        changes: dict[Span, bytes] = {inquiry.spans["model"]: msgspec.json.encode(target.model)}
        if inquiry.stream and not inquiry.wants_usage and target.provider.section.counts_streams is not False:
            changes.update(_with_usage(inquiry))
        return Outbound(path="/completions", body=(members.spliced(inquiry.body, changes),))

    def whole(self, inquiry: Inquiry, target: Target, body: bytes, content_type: str) -> Whole:
        return Whole(body, read_reply(body))

    def reader(self, inquiry: Inquiry) -> StreamReader:
        return OpenAIStream(show_usage=inquiry.wants_usage)


def _prompt(request: Members) -> tuple[int, tuple[str, ...], int]:
    """How many prompts there are, their texts, and their tokens."""
    given: Any = request.get("prompt", _PROMPT)
    if given is None:
        return 1, (), 1
    if isinstance(given, str):
        given = [given]
    texts = tuple(item for item in given if isinstance(item, str))
    lists = [item for item in given if isinstance(item, list)]
    loose = sum(isinstance(item, int) for item in given)
    tokens = loose + sum(map(len, lists))
    tokens += sum(len(text.encode(errors="replace")) for text in texts) // _BYTES_PER_TOKEN
    return max(1, len(texts) + len(lists)), texts, tokens


def _with_usage(inquiry: Inquiry) -> dict[Span, bytes]:
    """The change that makes a provider count."""
    place = inquiry.spans.get("stream_options")
    if place is None:
        start = inquiry.spans["model"][1]
        return {(start, start): b',"stream_options":{"include_usage":true}'}
    options = _OPTIONS.decode(inquiry.body[slice(*place)]) or {}
    return {place: msgspec.json.encode({**options, "include_usage": True})}
