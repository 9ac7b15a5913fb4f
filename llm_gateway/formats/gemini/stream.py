"""Answers that pass from a Gemini provider to a caller of Gemini's: watched for usage, errors and the end,
and left as they are.
"""

import msgspec
from msgspec import Raw, Struct

from llm_gateway.formats.gemini import answer, usage
from llm_gateway.formats.gemini.answer import Feedback
from shared import sse
from shared.errors import UpstreamBroken, UpstreamFault
from shared.ledger.entry import Usage

_BYTES_PER_TOKEN = 4
_AROUND_TEXT = 60


class _Candidate(Struct, frozen=True, rename="camel"):
    content: Raw = Raw()
    finish_reason: str | None = None
    index: int | None = None


class _Answer(Struct, frozen=True, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: Feedback | None = None
    usage_metadata: Raw = Raw()
    error: Raw = Raw()


_decode = msgspec.json.Decoder(_Answer).decode


class GeminiStream:
    """The end is no event: the connection closes after every candidate has said why it stopped."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.done = False
        self.fault: UpstreamFault | None = None
        self._splitter = sse.SseSplitter()
        self._running: set[int] = set()
        self._ended = False
        self._said = 0

    def feed(self, chunk: bytes) -> bytes:
        kept: list[bytes] = []
        try:
            for event in self._splitter.feed(chunk):
                data = sse.data_of(event)
                if data:
                    self._look(data)
                kept.append(event)
        except UpstreamFault as error:
            self.fault = error
        return b"".join(kept)

    def end(self) -> bytes:
        left = self._splitter.rest()
        out = self.feed(b"\n\n") if left.strip() else left
        if self.fault is None:
            if self._ended and not self._running:
                self.done = True
            else:
                self.fault = UpstreamBroken("the provider's stream ended before it was complete")
        return out

    def estimate(self) -> int:
        return self._said // _BYTES_PER_TOKEN

    def _look(self, data: bytes) -> None:
        said = _read(data)
        self.usage = usage.read(said.usage_metadata) or self.usage
        for candidate in said.candidates or ():
            self._said += max(0, len(bytes(candidate.content)) - _AROUND_TEXT)
            if candidate.finish_reason:
                self._ended = True
                self._running.discard(candidate.index or 0)
            else:
                self._running.add(candidate.index or 0)
        if said.prompt_feedback is not None and said.prompt_feedback.block_reason:
            self._ended = True


def read_reply(body: bytes) -> Usage | None:
    """The usage in a whole reply. Raises UpstreamRefused when it is an error, UpstreamBroken when it is none
    of both.
    """
    return usage.read(_read(body).usage_metadata)


def _read(data: bytes) -> _Answer:
    try:
        said = _decode(data)
    except (ValueError, RecursionError) as error:
        raise answer.broken(error) from error
    known = (
        said.candidates is not None or said.prompt_feedback is not None or bytes(said.usage_metadata) != b""
    )
    answer.check(data, error=said.error, known=known)
    return said
