"""Counting tokens in Gemini's words, both ways: what its callers ask for, and what its providers are asked.

Source: https://ai.google.dev/api/tokens
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from llm_gateway.formats.gemini import answer
from llm_gateway.formats.gemini.case import camel
from llm_gateway.weight import refuse_heavy
from shared.errors import BadRequest

# What Vertex lets stand beside the contents; the Gemini API wants them in a generateContentRequest.
_BESIDES = ("contents", "systemInstruction", "tools", "generationConfig")


class _Counted(Struct, frozen=True, rename="camel"):
    total_tokens: Annotated[int, Meta(ge=0)] | None = None
    error: Raw = Raw()


_decode = msgspec.json.Decoder(_Counted).decode


def read(body: bytes) -> bytes:
    """The request for generateContent whose tokens a caller of `:countTokens` wants to know. Raises
    BadRequest.
    """
    given = _object(body)
    wanted: Any = given.get("generateContentRequest")
    if wanted is not None and "contents" in given:
        raise BadRequest("contents and generateContentRequest exclude each other", data={"param": "contents"})
    if wanted is None:
        wanted = {name: given[name] for name in _BESIDES if name in given}
    if not isinstance(wanted, dict) or "contents" not in wanted:
        raise BadRequest("contents must be a list of contents", data={"param": "contents"})
    return msgspec.json.encode(wanted)


def reply(tokens: int) -> bytes:
    details = [{"modality": "TEXT", "tokenCount": tokens}]
    return msgspec.json.encode({"totalTokens": tokens, "promptTokensDetails": details})


def request(generate: bytes, model: str) -> bytes:
    """The body for a provider's `:countTokens` about the body of a generateContent. Raises BadRequest."""
    path = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
    return msgspec.json.encode({"generateContentRequest": {**_object(generate), "model": path}})


def counted(body: bytes) -> int:
    """Raises UpstreamRefused, UpstreamBroken."""
    try:
        found = _decode(body)
    except (ValueError, RecursionError) as error:
        raise answer.broken(error) from error
    answer.check(body, error=found.error, known=found.total_tokens is not None)
    return found.total_tokens or 0


def _object(body: bytes) -> dict[str, Any]:
    refuse_heavy(body)
    try:
        found = camel(msgspec.json.decode(body))
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not valid JSON: {error}", cause=error) from error
    if not isinstance(found, dict):
        raise BadRequest("the body must be a JSON object")
    return found
