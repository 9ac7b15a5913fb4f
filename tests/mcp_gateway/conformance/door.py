"""Where the clients that the suite starts come to, one process a scenario: the gateway that they stand for is
in the test.
"""

import asyncio
import contextlib
import hashlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

_KNOCK = Path(__file__).with_name("knock.py")
_PATIENCE_SECONDS = 90.0


class Asked(Struct, frozen=True):
    """What the suite wants of a client."""

    url: str
    scenario: str
    context: dict[str, Any] = {}

    @property
    def server(self) -> str:
        """What the gateway calls the server: another name for each, for what is kept under it."""
        return f"s{hashlib.sha256(self.scenario.encode()).hexdigest()[:8]}"


@contextlib.asynccontextmanager
async def door(visit: Callable[[Asked], Awaitable[None]], *, expected: frozenset[str]) -> AsyncIterator[str]:
    """The command of a client that has `visit` do what it is asked to, and fails when that does.

    The suite starts all scenarios together, in one process with their servers, and has no time to answer
    before it has: the first visit waits for the last of the `expected`.
    """
    missing, complete = set(expected), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = msgspec.json.decode(await reader.readline(), type=Asked)
        missing.discard(asked.scenario)
        if not missing:
            complete.set()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await complete.wait()
            await visit(asked)
        except Exception as error:
            writer.write(repr(error).encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1")
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"{sys.executable} -I -S {_KNOCK} {port}"
