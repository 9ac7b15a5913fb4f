"""Server-sent events as bytes: split a stream at event borders without changing a byte of it.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import re

from shared.errors import UpstreamBroken

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
# Where lines end with CR LF, a CR that is the last byte there is has its LF still to come.
_BLANK_LINE = re.compile(rb"\r\n(?:\r\n|\n|\r(?!\n|\Z))|(?:(?<!\r)\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
_LINE = re.compile(rb"\r\n|\n|\r")
_CRLF = b"\r\n\r\n"
_BORDERS = (_CRLF, b"\n\n", b"\r\r")
_LONGEST_BORDER = len(_CRLF)


class SseSplitter:
    """Collects chunks and gives back whole events, each with its closing blank line, byte for byte."""

    def __init__(self, cap: int = 8 * 1024 * 1024) -> None:
        self._buffer = bytearray()
        self._cap = cap

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that `chunk` completes. Raises UpstreamBroken when one event outgrows the cap."""
        if not self._buffer:
            return self._split(chunk)
        # An event that comes in many pieces is looked through once, and not again with each of them.
        new = max(0, len(self._buffer) - _LONGEST_BORDER)
        self._buffer += chunk
        if _BLANK_LINE.search(self._buffer, new) is None:
            self._check()
            return []
        data = bytes(self._buffer)
        self._buffer.clear()
        return self._split(data)

    @property
    def empty(self) -> bool:
        """Whether nothing came after the last whole event."""
        return not self._buffer

    def rest(self) -> bytes:
        """What came after the last whole event."""
        return bytes(self._buffer)

    def _split(self, data: bytes) -> list[bytes]:
        events: list[bytes] = []
        start = 0
        if _only_crlf(data):
            events = [event + _CRLF for event in data.split(_CRLF)[:-1]]
            start = len(data)
        elif b"\r" in data:
            for match in _BLANK_LINE.finditer(data):
                events.append(data[start : match.end()])
                start = match.end()
        else:
            while (end := data.find(b"\n\n", start)) >= 0:
                events.append(data[start : end + 2])
                start = end + 2
        if start < len(data):
            self._buffer += data[start:]
            self._check()
        return events

    def _check(self) -> None:
        if len(self._buffer) > self._cap:
            raise UpstreamBroken(f"one event of the stream is larger than {self._cap} bytes")


def parted(events: bytes) -> tuple[bytes, bytes]:
    """All but the last of whole events, and the last."""
    said = events.rstrip(b"\r\n")
    at = max((said.rfind(border) + len(border) for border in _BORDERS if border in said), default=0)
    return events[:at], events[at:]


def data_of(event: bytes) -> bytes:
    """The joined `data:` lines of an event; empty for comments and events without data."""
    if event.startswith(b"data: "):
        returns, lines = event.count(b"\r"), event.count(b"\n")
        if lines == 2 and not returns and event.endswith(b"\n\n"):
            return event[6:-2]
        if lines == returns == 2 and event.endswith(_CRLF):
            return event[6:-4]
    return b"\n".join(_values(event, b"data"))


def name_of(event: bytes) -> bytes:
    """What kind of event it is; empty where it does not say."""
    return b"".join(_values(event, b"event")[-1:])


def encode(data: bytes, event: str = "") -> bytes:
    head = f"event: {event}\n".encode() if event else b""
    return head + b"data: " + data + b"\n\n"


def _only_crlf(data: bytes) -> bool:
    """Whether `data` is whole events of one line each, ended as Google ends them."""
    return data.endswith(_CRLF) and data.count(b"\r") == data.count(b"\n") == 2 * data.count(_CRLF)


def _values(event: bytes, field: bytes) -> list[bytes]:
    values = []
    for line in _LINE.split(event):
        name, colon, value = line.partition(b":")
        if name == field and (colon or line):
            values.append(value[1:] if value.startswith(b" ") else value)
    return values
