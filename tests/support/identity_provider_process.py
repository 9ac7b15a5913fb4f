"""The identity provider in a process of its own, that can be stopped, killed and told to misbehave.

async with process() as idp:
    await idp.told(rotate=["one", "two"])
    token = await idp.token(kid="two", email="bob@example.com")
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared import server
from shared.clock import Clock
from shared.http_client import HttpClient
from tests.support.identity_provider import IdentityProvider

_START_SECONDS = 30.0


class Skewed(Clock):
    """The wall clock of a machine that nobody has set right."""

    skew = 0.0

    def now(self) -> float:
        return super().now() + self.skew


class Scripted:
    """What the process answers besides being a provider: `/script` and `/token` are the test's."""

    def __init__(self) -> None:
        self.clock = Skewed()
        self.idp = IdentityProvider(self.clock)

    async def _script(self, request: Request) -> Response:
        orders = await request.json()
        if "skew" in orders:
            self.clock.skew = orders["skew"]
        if "rotate" in orders:
            self.idp.rotate(*orders["rotate"])
        return JSONResponse({"asked": self.idp.asked})

    async def _token(self, request: Request) -> Response:
        return JSONResponse(self.idp.token(**await request.json()))

    async def run(self) -> None:
        listener = server.bind("127.0.0.1:0")
        self.idp.url = server.url_of(listener, secure=False)
        app = self.idp.app()
        app.routes.extend(
            (Route("/script", self._script, methods=["POST"]), Route("/token", self._token, methods=["POST"]))
        )
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await server.serve(app, listener, stop, ready=self._say)

    def _say(self) -> None:
        sys.stdout.write(self.idp.url + "\n")
        sys.stdout.flush()


class Process:
    """The test's end of it."""

    def __init__(self, child: asyncio.subprocess.Process, url: str, http: HttpClient) -> None:
        self.url = url
        self._child = child
        self._http = http

    async def told(self, **orders: Any) -> int:
        """Gives it `orders`: `skew` in seconds, `rotate` with the old kid and the new. How often it was asked
        for keys.
        """
        answer = await self._ask("/script", orders)
        return int(answer["asked"])

    async def token(self, **wanted: Any) -> str:
        return str(await self._ask("/token", wanted))

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._child.pid, number)

    async def _ask(self, path: str, body: dict[str, Any]) -> Any:
        sent = msgspec.json.encode(body)
        headers = [("content-type", "application/json")]
        async with await self._http.send("POST", self.url + path, headers=headers, body=sent) as reply:
            return msgspec.json.decode(await reply.read(65_536))


@contextlib.asynccontextmanager
async def process() -> AsyncIterator[Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.identity_provider_process", stdout=asyncio.subprocess.PIPE
    )
    http = HttpClient()
    try:
        assert child.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            url = (await child.stdout.readline()).decode().strip()
        yield Process(child, url, http)
    finally:
        await http.close()
        if child.returncode is None:
            # SIGKILL also ends one that was stopped.
            child.kill()
        await child.wait()


if __name__ == "__main__":
    asyncio.run(Scripted().run())
