"""Replicas of one service with a known capacity: each answers `places` requests at a time in `seconds`, the
rest waits for as long as it takes. What becomes of them is said on the standard input: `slow 0 0.2`,
`stop 1`, `start 5`; each is answered with `done`.

Arguments: how many there are, how many of them are up at the start, places, seconds.
"""

import asyncio
import sys
from typing import cast

import uvloop

from tests.bench.upstream import answer


class Replica:
    def __init__(self, number: int, places: int, seconds: float) -> None:
        self.seconds = seconds
        self.port = 0
        self._number = number
        self._places = asyncio.Semaphore(places)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Transport] = set()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """As a killed process would: nothing is answered any more."""
        if self._server is not None:
            self._server.close()
        for transport in list(self._open):
            transport.abort()

    def joined(self, transport: asyncio.Transport) -> None:
        self._open.add(transport)

    def left(self, transport: asyncio.Transport) -> None:
        self._open.discard(transport)

    async def serve(self, path: bytes) -> bytes:
        if path != b"/healthz":
            async with self._places:
                await asyncio.sleep(self.seconds)
        return answer(b"{}", extra=f"x-replica: {self._number}\r\n")


class Connection(asyncio.Protocol):
    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._buffer = b""
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._replica.joined(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._buffer.endswith(b"\r\n\r\n"):
            path, self._buffer = self._buffer.split(b" ", 2)[1], b""
            self._task = asyncio.create_task(self._answer(path))

    async def _answer(self, path: bytes) -> None:
        self._transport.write(await self._replica.serve(path))

    def connection_lost(self, exc: Exception | None) -> None:
        self._replica.left(self._transport)
        if self._task is not None:
            self._task.cancel()


async def main(count: int, up: int, places: int, seconds: float) -> None:
    replicas = [Replica(number, places, seconds) for number in range(count)]
    for replica in replicas:
        await replica.start()
    for replica in replicas[up:]:
        replica.stop()
    print("replicas listens on", ",".join(str(replica.port) for replica in replicas), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order, number, *rest = line.split()
        replica = replicas[int(number)]
        if order == "slow":
            replica.seconds = float(rest[0])
        elif order == "stop":
            replica.stop()
        else:
            await replica.start()
        print("done", flush=True)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
