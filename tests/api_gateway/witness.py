"""A service that writes down, byte for byte, what it was asked over each of its connections."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from msgspec import Struct

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Seen(Struct):
    """One request: its first line's target, its headers as they stood, its body without framing."""

    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


class Witness:
    """`answer` is what it says to everything."""

    def __init__(self, answer: bytes = _ANSWER) -> None:
        self.seen: list[Seen] = []
        self.url = ""
        self._answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.seen.append(await _read(head, reader))
                writer.write(self._answer)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def witness(answer: bytes = _ANSWER) -> AsyncIterator[Witness]:
    found = Witness(answer)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield found


async def _read(head: bytes, reader: asyncio.StreamReader) -> Seen:
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    pairs = [line.partition(":") for line in lines]
    seen = Seen(first.split(" ")[1], [(name, value.strip()) for name, _, value in pairs], b"")
    if "chunked" in seen.all("transfer-encoding"):
        while size := int(await reader.readuntil(), 16):
            seen.body += await reader.readexactly(size)
            await reader.readline()
        await reader.readuntil(b"\r\n")
    else:
        seen.body = await reader.readexactly(int((seen.all("content-length") or ["0"])[0]))
    return seen
