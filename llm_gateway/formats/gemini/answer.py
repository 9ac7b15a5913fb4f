"""GenerateContentResponse as a provider writes it, whole or as one event of a stream: what both readings of
it share.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from llm_gateway.formats.gemini.failure import Failure
from shared.errors import UpstreamBroken, UpstreamRefused


class Content(Struct, frozen=True):
    parts: list[dict[str, Any]] | None = None


class Candidate(Struct, frozen=True, rename="camel"):
    content: Content | None = None
    finish_reason: str | None = None
    index: int | None = None


class Feedback(Struct, frozen=True, rename="camel"):
    block_reason: str | None = None


class Answer(Struct, frozen=True, rename="camel"):
    candidates: list[Candidate] | None = None
    prompt_feedback: Feedback | None = None
    usage_metadata: Raw = Raw()
    model_version: str | None = None
    response_id: str | None = None
    create_time: str | None = None
    error: Raw = Raw()


_decode = msgspec.json.Decoder(Answer).decode


def read(data: bytes) -> Answer:
    """Raises UpstreamRefused when it is an error, UpstreamBroken when it is neither."""
    try:
        found = _decode(data)
    except (ValueError, RecursionError) as error:
        raise broken(error) from error
    check(data, error=found.error, known=_says_something(found))
    return found


def check(data: bytes, *, error: Raw, known: bool) -> None:
    """Raises as `read` does."""
    if bytes(error) not in (b"", b"null"):
        raise refused(data)
    if not known:
        raise broken(None)


def broken(error: Exception | None) -> UpstreamBroken:
    return UpstreamBroken("the provider's answer is nothing that Gemini would say", cause=error)


def refused(body: bytes) -> UpstreamRefused:
    failure = Failure.read(body) or Failure()
    return UpstreamRefused(
        "the provider sent an error instead of an answer",
        upstream_status=failure.code if 400 <= failure.code <= 599 else 502,
        body=body,
        retryable=True,
        retry_after=failure.retry_after,
    )


def _says_something(found: Answer) -> bool:
    return (
        found.candidates is not None
        or found.prompt_feedback is not None
        or bytes(found.usage_metadata) != b""
    )
