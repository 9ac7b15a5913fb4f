"""Replies of OpenAI-compatible providers, whole or streamed: watched for usage, errors and the end, and left
as they are.
"""

import re

import msgspec
from msgspec import Raw, Struct

from llm_gateway.formats.openai_chat.usage import WireUsage
from shared import sse
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused
from shared.ledger.entry import Usage

DONE = b"[DONE]"
_DONE_EVENT = b"data: [DONE]\n\n"
_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_BYTES_PER_TOKEN = 4
# By how many bytes events of one token differ: a longer word, another finish_reason.
_ORDINARY = 48


class _Reply(Struct, frozen=True):
    """What a reply or one chunk of it must have, and what we look at."""

    choices: list[Raw] | None = None
    usage: Raw = Raw()
    error: Raw = Raw()


_decode = msgspec.json.Decoder(_Reply).decode


class OpenAIStream:
    """Reads along. Chunks in which nothing is to be seen pass without being taken apart."""

    def __init__(self, *, show_usage: bool) -> None:
        self.usage: Usage | None = None
        self.done = False
        self.fault: UpstreamFault | None = None
        self._show_usage = show_usage
        self._splitter = sse.SseSplitter()
        self._checked = False
        self._events = 0
        self._smallest = 1 << 30
        self._beyond = 0

    def feed(self, chunk: bytes) -> bytes:
        if self._checked and _plain(chunk) and not self._splitter.rest():
            self._count(chunk.count(b"\n\n"), len(chunk))
            return chunk
        kept = []
        for event in self._splitter.feed(chunk):
            try:
                if self._keep(event):
                    kept.append(event)
            except UpstreamFault as error:
                self.fault = error
            if self.done or self.fault:
                break
        return b"".join(kept)

    def end(self) -> bytes:
        out = self.feed(b"\n\n") if self._splitter.rest() else b""
        if self.done or self.fault:
            return out
        if self.usage is None:
            self.fault = UpstreamBroken("the provider's stream ended before it was complete")
            return out
        # Some providers close instead of saying that they are done; usage comes last, so nothing is missing.
        self.done = True
        return out + _DONE_EVENT

    def estimate(self) -> int:
        return self._events + self._beyond // _BYTES_PER_TOKEN

    def _keep(self, event: bytes) -> bool:
        data = sse.data_of(event)
        if data == DONE:
            self.done = True
            return True
        if not data:
            return True
        if self._checked and b'"error"' not in event and not _USAGE.search(event):
            self._count(1, len(event))
            return True
        return self._look(event, data)

    def _look(self, event: bytes, data: bytes) -> bool:
        """An event that says more than text, or the first, which must show that this is a stream at all."""
        chunk = _read(data)
        if _given(chunk.error):
            raise _refused(chunk.error, data)
        if chunk.choices is None:
            raise UpstreamBroken("the provider's stream holds something that is no completion chunk")
        self._checked = True
        counted = WireUsage.read(chunk.usage)
        if counted is not None:
            self.usage = counted
            return bool(chunk.choices) or self._show_usage
        self._count(1, len(event))
        return True

    def _count(self, events: int, size: int) -> None:
        """An event is a token; what makes it much longer than the shortest one is text of several more."""
        self._events += events
        self._smallest = min(self._smallest, size // events)
        self._beyond += max(0, size - events * (self._smallest + _ORDINARY))


def read_reply(body: bytes) -> Usage | None:
    """The usage in a whole reply. Raises UpstreamRefused when it is an error, UpstreamBroken when it is none
    of both.
    """
    reply = _read(body)
    if _given(reply.error):
        raise _refused(reply.error)
    if reply.choices is None:
        raise UpstreamBroken("the provider's answer is no chat completion")
    return WireUsage.read(reply.usage)


def _plain(chunk: bytes) -> bool:
    """Whether `chunk` is whole events, none of which can be more than a piece of text."""
    return (
        chunk.endswith(b"\n\n")
        and DONE not in chunk
        and b'"error"' not in chunk
        and (b'"usage"' not in chunk or not _USAGE.search(chunk))
    )


def _read(data: bytes) -> _Reply:
    try:
        return _decode(data)
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken("the provider's answer is no chat completion", cause=error) from error


def _given(raw: Raw) -> bool:
    return bytes(raw) not in (b"", b"null")


def _refused(error: Raw, words: bytes = b"") -> UpstreamRefused:
    return UpstreamRefused(
        "the provider sent an error instead of an answer",
        upstream_status=_status(error),
        body=words,
        retryable=True,
    )


def _status(error: Raw) -> int:
    """The HTTP status that some providers write into the error itself."""
    try:
        code = msgspec.json.decode(error).get("code")
    except (ValueError, AttributeError, RecursionError):
        return 502
    return code if isinstance(code, int) and 400 <= code <= 599 else 502
