"""Streams of events that name their type (images, transcripts, speech): watched for usage, errors and the
end, and left as they are.

Such a stream just ends; what may be its last event is held back until it is certain that it was, so that the
call is on record before the caller has all of it.
"""

import operator

import msgspec
from msgspec import Raw, Struct

from llm_gateway.endpoints.answers import status_in
from llm_gateway.endpoints.counted import read_usage
from shared import sse
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused
from shared.ledger.entry import Usage

_DONE = b"[DONE]"
# An image in base64 is one event.
_LARGEST_EVENT = 64 * 1024 * 1024


class _Event(Struct, frozen=True):
    type: str = ""
    usage: Raw = Raw()
    error: Raw = Raw()


_decode = msgspec.json.Decoder(_Event).decode


class TypedEvents:
    """`last` are the types of events that a whole stream ends with."""

    def __init__(self, last: frozenset[str]) -> None:
        self.usage: Usage | None = None
        self.done = False
        self.fault: UpstreamFault | None = None
        self.finals = 0
        self._last = last
        self._held = b""
        self._splitter = sse.SseSplitter(_LARGEST_EVENT)

    def feed(self, chunk: bytes) -> bytes:
        out: list[bytes] = []
        try:
            for event in self._splitter.feed(chunk):
                self._take(event, out)
                if self.done:
                    break
        except UpstreamFault as error:
            self.fault = error
            out.append(self._release())
        return b"".join(out)

    def end(self) -> bytes:
        out = b"" if self._splitter.empty else self.feed(b"\n\n")
        if self.done or self.fault:
            return out
        if not self.finals:
            self.fault = UpstreamBroken("the provider's stream ended before it was complete")
            return out
        self.done = True
        return out + self._release()

    def estimate(self) -> int:
        return 0

    def _take(self, event: bytes, out: list[bytes]) -> None:
        data = sse.data_of(event)
        out.append(self._release())
        if data == _DONE:
            self.done = True
        elif data and self._is_last(data):
            self._held = event
            return
        out.append(event)

    def _is_last(self, data: bytes) -> bool:
        try:
            found = _decode(data)
        except (ValueError, RecursionError) as error:
            raise UpstreamBroken(
                "the provider's stream holds something that is no event", cause=error
            ) from error
        if found.type == "error" or bytes(found.error) not in (b"", b"null"):
            status = status_in(found.error) if bytes(found.error) else 502
            raise UpstreamRefused(
                "the provider sent an error instead of an answer",
                upstream_status=status,
                body=data,
                retryable=True,
            )
        counted = read_usage(found.usage)
        if counted is not None:
            self.usage = counted if self.usage is None else _sum(self.usage, counted)
        if found.type in self._last:
            self.finals += 1
            return True
        return False

    def _release(self) -> bytes:
        held, self._held = self._held, b""
        return held


def _sum(one: Usage, other: Usage) -> Usage:
    fields = Usage.__struct_fields__
    of = operator.attrgetter(*fields)
    return Usage(**{name: a + b for name, a, b in zip(fields, of(one), of(other), strict=True)})
