"""Replies of providers that speak Responses, whole or streamed: watched for usage, errors and the end, and
left as they are.
"""

import re

import msgspec
from msgspec import Raw, Struct

from llm_gateway.formats.openai_chat.stream import refused_by
from llm_gateway.formats.openai_responses.usage import usage_of
from llm_gateway.guess import TokensOut
from shared import sse
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused
from shared.ledger.entry import Usage

ENDS = frozenset(("response.completed", "response.incomplete"))
FAILURES = frozenset(("response.failed", "error"))
# What may say more than text does; a type may be written with escapes.
_SPECIAL = re.compile(rb'response\.(?:completed|incomplete|failed)|"error"|\\u|\[DONE\]')
_NO_RESPONSE = "the provider's answer is no response"
# What fails for these reasons may well succeed elsewhere, or later.
_PASSING = frozenset(("server_error", "rate_limit_exceeded", "vector_store_timeout"))


class _Event(Struct, frozen=True):
    type: str
    response: Raw = Raw()
    error: Raw = Raw()
    message: object = None
    code: object = None


class Answer(Struct, frozen=True):
    """A whole response, as far as it must be looked at."""

    id: str | None = None
    model: str | None = None
    created_at: float | None = None
    status: str | None = None
    output: list[Raw] | None = None
    incomplete_details: Raw = Raw()
    usage: Raw = Raw()
    error: Raw = Raw()


class _Failure(Struct, frozen=True):
    code: object = None


_event = msgspec.json.Decoder(_Event).decode
_answer = msgspec.json.Decoder(Answer).decode
_failure = msgspec.json.Decoder(_Failure).decode


class ResponsesStream:
    """Reads along. Events in which nothing is to be seen pass without being taken apart."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.done = False
        self.fault: UpstreamFault | None = None
        self._splitter = sse.SseSplitter()
        self._checked = False
        self._said = TokensOut()

    def feed(self, chunk: bytes) -> bytes:
        if self._checked and chunk.endswith(b"\n\n") and self._splitter.empty and not _SPECIAL.search(chunk):
            self._count(chunk)
            return chunk
        kept = []
        try:
            for event in self._splitter.feed(chunk):
                if self._keep(event):
                    kept.append(event)
                if self.done:
                    break
        except UpstreamFault as error:
            self.fault = error
        return b"".join(kept)

    def end(self) -> bytes:
        out = b"" if self._splitter.empty else self.feed(b"\n\n")
        if not self.done and self.fault is None:
            self.fault = UpstreamBroken("the provider's stream ended before it was complete")
        return out

    def estimate(self) -> int:
        return self._said.estimate

    def _keep(self, event: bytes) -> bool:
        data = sse.data_of(event)
        if not data:
            return True
        if self._checked and not _SPECIAL.search(event):
            self._count(event)
            return True
        if data == b"[DONE]":
            return False
        found = read_event(data)
        self._checked = True
        if found.type in FAILURES:
            raise failure(found, data)
        if found.type in ENDS:
            self.usage = usage_of(read_answer(found.response).usage)
            self.done = True
        self._count(event)
        return True

    def _count(self, events: bytes) -> None:
        # Only these hold what a model has said; each says it once more when it is complete.
        if deltas := events.count(b".delta\n") or events.count(b'.delta"'):
            self._said.add(deltas, len(events))


def read_event(data: bytes) -> _Event:
    try:
        return _event(data)
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken(
            "the provider's stream holds something that is no event of a response", cause=error
        ) from error


def failure(event: _Event, data: bytes) -> UpstreamRefused:
    """The fault that an event of FAILURES is; its words go on where the caller speaks Responses too."""
    if event.type == "error":
        told = event.error if bytes(event.error) not in (b"", b"null") else None
        plain = Raw(msgspec.json.encode({"message": event.message, "code": event.code}))
        return refused_by(told or plain, data)
    return refused_by(read_answer(event.response).error or Raw(b"null"), data)


def read_answer(body: bytes | Raw) -> Answer:
    try:
        return _answer(body)
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken(_NO_RESPONSE, cause=error) from error


def whole(body: bytes) -> Answer:
    """A whole reply. Raises UpstreamRefused when it is an error, UpstreamBroken when it is none of both."""
    answer = read_answer(body)
    if answer.output is None:
        if bytes(answer.error) not in (b"", b"null"):
            raise refused_by(answer.error)
        raise UpstreamBroken(_NO_RESPONSE)
    if answer.status == "failed" and _passes(answer.error):
        raise refused_by(answer.error)
    return answer


def _passes(error: Raw) -> bool:
    try:
        return _failure(error).code in _PASSING
    except (ValueError, RecursionError, TypeError):
        return True
