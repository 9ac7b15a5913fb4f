"""Multipart forms, read strictly and written anew: a provider never sees a part that was not read here, nor
a header line that it could read in another way.

Source: RFC 7578 and what HTTP clients send.
"""

import secrets
from collections.abc import Callable, Iterator

from msgspec import Struct

from llm_gateway.multipart_head import Head, boundary_of, read_head
from shared.errors import BadRequest

_HEAD_BYTES, _PARTS_MAX = 8_192, 256


class Data(Struct, frozen=True):
    """A piece of the part that began last."""

    data: bytes


Event = Head | Data


class Part(Struct, frozen=True):
    head: Head
    value: bytes


class Form(Struct, frozen=True):
    """A whole form in memory."""

    parts: tuple[Part, ...]

    def file(self, name: str) -> Part | None:
        return next((part for part in self.parts if part.head.name == name), None)

    def text(self, name: str, default: str = "") -> str:
        """A field that may stand once. Raises BadRequest where it stands twice: two readers could take two
        values.
        """
        found = [part for part in self.parts if part.head.name == name]
        if not found:
            return default
        if len(found) > 1:
            raise doubled(name)
        if found[0].head.filename is not None:
            raise BadRequest(f"{name} must be a plain field, not a file", data={"param": name})
        return text_of(name, found[0].value)

    def body(self, changes: dict[str, str]) -> tuple[bytes, tuple[bytes, ...]]:
        """Content type and pieces of this form with some fields' values replaced, or added where they are
        missing.
        """
        writer = FormWriter()
        pieces = []
        missing = dict(changes)
        for part in self.parts:
            changed = missing.pop(part.head.name, None)
            pieces += [writer.head(part.head), part.value if changed is None else changed.encode()]
        for name, value in missing.items():
            pieces += [writer.head(Head(name)), value.encode()]
        return writer.content_type, (*pieces, writer.end())


class FormWriter:
    """Writes parts behind a boundary of our own, which no caller can know."""

    def __init__(self) -> None:
        self._boundary = secrets.token_hex(20)
        self._lead = ""

    @property
    def content_type(self) -> bytes:
        return f"multipart/form-data; boundary={self._boundary}".encode()

    def head(self, head: Head) -> bytes:
        lead, self._lead = self._lead, "\r\n"
        return f"{lead}--{self._boundary}\r\n".encode() + head.render()

    def end(self) -> bytes:
        return f"{self._lead}--{self._boundary}--\r\n".encode()


class FormReader:
    """Takes a form apart while it arrives. Raises BadRequest on what two readers could read in two ways."""

    def __init__(self, content_type: str) -> None:
        self._line = b"--" + boundary_of(content_type).encode()
        self._buffer = b""
        self._parts = 0
        self._step: Callable[[], Event | None] = self._begin
        self.done = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        self._buffer += chunk
        while True:
            before = self._step, len(self._buffer)
            event = self._step()
            if event is not None:
                yield event
            elif before == (self._step, len(self._buffer)):
                return

    def end(self) -> None:
        if not self.done:
            raise BadRequest("the form ends in the middle: its closing boundary is missing")

    def _begin(self) -> Event | None:
        if len(self._buffer) >= len(self._line) + 2:
            if not self._buffer.startswith(self._line):
                raise BadRequest("the form must begin with the boundary that its content type names")
            self._buffer = self._buffer[len(self._line) :]
            self._step = self._between
        return None

    def _between(self) -> Event | None:
        """After a boundary: another part, or the end."""
        if len(self._buffer) >= 2:
            if self._buffer.startswith(b"--"):
                self.done, self._step = True, self._after
            elif self._buffer.startswith(b"\r\n"):
                self._step = self._head
            else:
                raise BadRequest("a boundary of the form is followed by something that is no line end")
            self._buffer = self._buffer[2:]
        return None

    def _head(self) -> Event | None:
        end = self._buffer.find(b"\r\n\r\n", 0, _HEAD_BYTES)
        if end < 0:
            if len(self._buffer) >= _HEAD_BYTES:
                raise BadRequest(f"the header of a part of the form is larger than {_HEAD_BYTES} bytes")
            return None
        self._parts += 1
        if self._parts > _PARTS_MAX:
            raise BadRequest(f"the form has more than {_PARTS_MAX} parts")
        head = read_head(self._buffer[:end])
        self._buffer, self._step = self._buffer[end + 4 :], self._data
        return head

    def _data(self) -> Event | None:
        mark = b"\r\n" + self._line
        end = self._buffer.find(mark)
        if end >= 0:
            data, self._buffer, self._step = (
                self._buffer[:end],
                self._buffer[end + len(mark) :],
                self._between,
            )
        else:
            # As much of a boundary may have arrived already.
            keep = max(0, len(self._buffer) - len(mark) + 1)
            data, self._buffer = self._buffer[:keep], self._buffer[keep:]
        return Data(data) if data else None

    def _after(self) -> Event | None:
        if self._buffer.strip(b"\r\n"):
            raise BadRequest("something follows the end of the form")
        return None


def read_form(body: bytes, content_type: str) -> Form:
    """Raises BadRequest."""
    reader = FormReader(content_type)
    parts: list[Part] = []
    pieces: list[bytes] = []
    for event in reader.feed(body):
        if isinstance(event, Data):
            pieces.append(event.data)
            continue
        _close(parts, pieces)
        parts.append(Part(event, b""))
    reader.end()
    _close(parts, pieces)
    return Form(tuple(parts))


def _close(parts: list[Part], pieces: list[bytes]) -> None:
    """Gives the last part its value."""
    if parts:
        parts[-1] = Part(parts[-1].head, b"".join(pieces))
    pieces.clear()


def text_of(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"{name} is not valid UTF-8", cause=error, data={"param": name}) from error


def doubled(name: str) -> BadRequest:
    return BadRequest(
        f"{name} stands twice in the form: two readers could take two values", data={"param": name}
    )
