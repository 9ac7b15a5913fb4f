"""The bare forwarder that everything is compared with: same server, same transport, no stage.

It decodes the request, forwards it and reads the usage out of the reply: what any gateway has to do.
"""

import asyncio
import sys
from typing import Any

import msgspec
from msgspec import Raw, Struct

from shared import server
from shared.asgi import Receive, Scope, Send
from shared.http_client import HttpClient


class Ask(Struct):
    model: str
    messages: Raw = Raw()
    stream: bool = False


class Usage(Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Answer(Struct):
    usage: Usage = msgspec.field(default_factory=Usage)


class Bare:
    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._http = HttpClient()
        self._ask = msgspec.json.Decoder(Ask)
        self._answer = msgspec.json.Decoder(Answer)
        self.tokens = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        ask = self._ask.decode(body)
        headers = [("content-type", "application/json")]
        async with await self._http.send(
            "POST", self._upstream + scope["path"], headers=headers, body=body
        ) as reply:
            await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers[:1]})
            if ask.stream:
                async for chunk in reply.chunks():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                whole = await reply.read(2**20)
                self.tokens += self._answer.decode(whole).usage.completion_tokens
                await send({"type": "http.response.body", "body": whole})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def main(upstream: str) -> int:
    listener = server.bind("127.0.0.1:0")
    stop = asyncio.Event()
    waiting = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    waiting.add_done_callback(lambda _: stop.set())
    app: Any = Bare(upstream)
    await server.serve(
        app, listener, stop, ready=lambda: print(f"bare listens on {server.url_of(listener)}", flush=True)
    )
    return 0


if __name__ == "__main__":
    sys.exit(server.run(main(sys.argv[1])))
