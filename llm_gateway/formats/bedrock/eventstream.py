"""AWS's binary event stream: messages with typed headers, each guarded by two CRC-32 sums.

Source: https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html
"""

import struct
import zlib
from collections.abc import Iterator

from msgspec import Struct

from shared.errors import UpstreamBroken

_PRELUDE = struct.Struct(">III")
_SUM = struct.Struct(">I")
_LONGEST = 24 * 1024 * 1024
# Headers whose values have a length of their own: bytes and strings.
_BYTES, _STRING = 6, 7
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}


class Message(Struct, frozen=True):
    """`headers` are those with texts as values; nothing else means anything to us."""

    headers: dict[str, str]
    payload: bytes


class Parser:
    """Collects chunks and gives back whole messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> list[Message]:
        """The messages that `chunk` completes. Raises UpstreamBroken on what is no message, or a damaged
        one.
        """
        self._buffer += chunk
        messages = []
        start = 0
        while (end := self._end(start)) is not None:
            messages.append(_message(bytes(self._buffer[start:end])))
            start = end
        if start:
            del self._buffer[:start]
        return messages

    @property
    def between(self) -> bool:
        """Whether no message has been begun."""
        return not self._buffer

    def _end(self, start: int) -> int | None:
        """Where the message at `start` ends, if it is all there. Its length is believed once its sum is
        right.
        """
        if len(self._buffer) - start < _PRELUDE.size:
            return None
        total, headers, checksum = _PRELUDE.unpack_from(self._buffer, start)
        if zlib.crc32(memoryview(self._buffer)[start : start + 8]) != checksum:
            raise UpstreamBroken("the provider's event stream is damaged: a prelude's checksum is wrong")
        if not _PRELUDE.size + headers + _SUM.size <= total <= _LONGEST:
            raise UpstreamBroken("the provider's event stream is damaged: a message has an impossible length")
        end: int = start + total
        return end if end <= len(self._buffer) else None


def _message(data: bytes) -> Message:
    [checksum] = _SUM.unpack_from(data, len(data) - _SUM.size)
    if zlib.crc32(memoryview(data)[: -_SUM.size]) != checksum:
        raise UpstreamBroken("the provider's event stream is damaged: a message's checksum is wrong")
    border = _PRELUDE.size + _PRELUDE.unpack_from(data)[1]
    try:
        headers = dict(_headers(data[_PRELUDE.size : border]))
    except (IndexError, KeyError, struct.error, UnicodeDecodeError) as error:
        raise UpstreamBroken(
            "the provider's event stream has headers that make no sense", cause=error
        ) from error
    return Message(headers, data[border : -_SUM.size])


def _headers(data: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(data):
        name, at = _counted(data, at + 1, data[at])
        kind = data[at]
        if kind in (_BYTES, _STRING):
            [length] = struct.unpack_from(">H", data, at + 1)
            value, at = _counted(data, at + 3, length)
            if kind == _STRING:
                yield name.decode(), value.decode()
        else:
            _, at = _counted(data, at + 1, _FIXED[kind])


def _counted(data: bytes, at: int, length: int) -> tuple[bytes, int]:
    if at + length > len(data):
        raise IndexError("a header is longer than all of them")
    return data[at : at + length], at + length
