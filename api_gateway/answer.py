"""A service's answer on its way to the client: straight from the wire, or one that was kept."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

from msgspec import Struct

from shared.asgi import Headers

_BODILESS = frozenset((204, 304))


class Answer(Protocol):
    """What the edge relays. `headers` are in lower case."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Headers: ...

    def header(self, name: str) -> str | None: ...

    def chunks(self) -> AsyncIterator[bytes]: ...


# What a stage does with an answer whose headers are in, before it goes out.
Through = Callable[[Answer], Answer]


class KeptAnswer(Struct, frozen=True, kw_only=True):
    """A whole answer."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return header_of(self.headers, name)

    async def chunks(self) -> AsyncIterator[bytes]:
        if self.body:
            yield self.body


class ReadAhead:
    """Reads up to `cap` bytes of a body before it gives any of it: no client that is slow holds it up."""

    def __init__(self, answer: Answer, cap: int) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._answer = answer
        self._cap = cap

    def header(self, name: str) -> str | None:
        return self._answer.header(name)

    async def chunks(self) -> AsyncIterator[bytes]:
        seen, held = 0, []
        async for chunk in self._answer.chunks():
            seen += len(chunk)
            held.append(chunk)
            if seen > self._cap:
                yield b"".join(held)
                held.clear()
        if held:
            yield b"".join(held)


class Keeping:
    """Passes an answer on as it comes, and hands it to `keep` before its last piece goes out. With more than
    `cap` bytes it is handed over as None, and when it is cut not at all.
    """

    def __init__(
        self, answer: Answer, headers: Headers, cap: int, keep: Callable[[KeptAnswer | None], Awaitable[None]]
    ) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._answer = answer
        self._kept_headers = headers
        self._cap = cap
        self._keep = keep

    def header(self, name: str) -> str | None:
        return self._answer.header(name)

    async def chunks(self) -> AsyncIterator[bytes]:
        length = self.header("content-length")
        announced = int(length) if length is not None and length.isdecimal() else -1
        seen, parts, handed = 0, [], False
        async for chunk in self._answer.chunks():
            seen += len(chunk)
            if seen <= self._cap:
                parts.append(chunk)
            else:
                parts.clear()
            if seen == announced and not handed:
                # Whoever relays it may stop here.
                handed = True
                await self._hand_over(parts, seen)
            yield chunk
        if not handed and announced <= seen:
            await self._hand_over(parts, seen)

    async def _hand_over(self, parts: list[bytes], seen: int) -> None:
        if seen > self._cap:
            await self._keep(None)
            return
        body = b"".join(parts)
        headers = [header for header in self._kept_headers if header[0] != b"content-length"]
        if self.status not in _BODILESS:
            headers.append((b"content-length", str(len(body)).encode()))
        await self._keep(KeptAnswer(status=self.status, headers=headers, body=body))


def header_of(headers: Headers, name: str) -> str | None:
    """The first value of a header."""
    wanted = name.encode("latin-1")
    return next((value.decode("latin-1") for key, value in headers if key == wanted), None)


def values_of(headers: Headers, name: str) -> list[str]:
    """The parts of a header that is a list (RFC 9110 section 5.6.1), however often it stands."""
    wanted = name.encode("latin-1")
    found = [value.decode("latin-1") for key, value in headers if key == wanted]
    return [part.strip() for value in found for part in value.split(",") if part.strip()]
