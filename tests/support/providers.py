"""A model provider on a real socket that does what a test tells it: every byte and every pause is the test's.

    async with ScriptedProvider() as provider:
        provider.will(error(429, retry_after=3), completion("hello"))

Each call takes the next behaviour; the last one stays. A behaviour is any `async def (call: Call) -> None`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec

Behaviour = Callable[["Call"], Awaitable[None]]
Json = dict[str, Any]

REAL_MODEL = "real-model-2026-01-01"
USAGE: Json = {
    "prompt_tokens": 20,
    "completion_tokens": 8,
    "total_tokens": 28,
    "prompt_tokens_details": {"cached_tokens": 12},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
DONE = b"data: [DONE]\n\n"


class Call:
    """One request as the provider saw it, and the means to answer it."""

    def __init__(
        self,
        line: str,
        headers: list[tuple[str, str]],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.method, self.path, _ = line.split(" ", 2)
        self.header_list = headers
        self.headers = dict(headers)
        self.body = b""
        self.over = asyncio.Event()
        self.left = asyncio.Event()
        self._reader = reader
        self._writer = writer

    @property
    def json(self) -> Json:
        found: Json = msgspec.json.decode(self.body)
        return found

    async def reply(self, status: int, body: bytes, headers: Json | None = None) -> None:
        head = {"content-type": "application/json", "content-length": len(body), **(headers or {})}
        await self.raw(_head(status, head) + body)

    async def start(self, headers: Json | None = None) -> None:
        head = {"content-type": "text/event-stream", "transfer-encoding": "chunked", **(headers or {})}
        await self.raw(_head(200, head))

    async def send(self, data: bytes) -> None:
        """One HTTP chunk, on the wire before this returns."""
        await self.raw(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def end(self) -> None:
        await self.raw(b"0\r\n\r\n")

    async def raw(self, data: bytes) -> None:
        self._writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    def cut(self) -> None:
        """Ends the connection without another word."""
        self._writer.transport.abort()

    async def gone(self) -> None:
        """Returns when the other side has closed its connection; it sends nothing more until then."""
        with contextlib.suppress(ConnectionError):
            assert await self._reader.read(1) == b""
        self.left.set()


class ScriptedProvider:
    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._behaviours: list[Behaviour] = [completion()]
        self.connections = 0
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def last(self) -> Call:
        return self.calls[-1]

    def will(self, *behaviours: Behaviour) -> None:
        self._behaviours = list(behaviours)

    def close(self) -> None:
        """Nobody is at this address any more."""
        self._server.close()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self._port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections += 1
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            async for call in _requests(reader, writer):
                self.calls.append(call)
                behaviour = self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]
                await behaviour(call)
                call.over.set()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()


async def _requests(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AsyncIterator[Call]:
    while head := await reader.readuntil(b"\r\n\r\n"):
        line, *rest = head.decode("latin-1").strip().split("\r\n")
        pairs = [item.split(":", 1) for item in rest]
        call = Call(line, [(name.lower(), value.strip()) for name, value in pairs], reader, writer)
        call.body = await _body(reader, call.headers)
        yield call


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body


def _head(status: int, headers: Json) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def completion_body(text: str = "Hello there", usage: Json | None = USAGE) -> bytes:
    message = {"role": "assistant", "content": text, "refusal": None}
    body: Json = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": REAL_MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
    }
    return msgspec.json.encode(body | ({"usage": usage} if usage is not None else {}))


def chunk(delta: Json, *, finish: str | None = None, extra: Json | None = None) -> bytes:
    """One event with one choice."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return event({"choices": [choice]} | (extra or {}))


def event(fields: Json) -> bytes:
    head = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": REAL_MODEL,
    }
    return b"data: " + msgspec.json.encode(head | fields) + b"\n\n"


def events(pieces: Iterable[str], *, counted: bool, usage: Json | None = USAGE) -> list[bytes]:
    """A whole stream's events; `counted` as OpenAI does it: usage null in all but one more event."""
    none: Json = {"usage": None} if counted else {}
    found = [chunk({"role": "assistant", "content": ""}, extra=none)]
    found += [chunk({"content": piece}, extra=none) for piece in pieces]
    found.append(chunk({}, finish="stop", extra=none))
    if counted:
        found.append(event({"choices": [], "usage": usage}))
    return [*found, DONE]


def wants_usage(call: Call) -> bool:
    return bool((call.json.get("stream_options") or {}).get("include_usage"))


def completion(
    text: str = "Hello there", *, usage: Json | None = USAGE, headers: Json | None = None
) -> Behaviour:
    return whole(completion_body(text, usage), headers=headers)


def whole(body: bytes, *, status: int = 200, headers: Json | None = None) -> Behaviour:
    """Any body at any status: garbage, an error of a provider's own making, 50 MB of spaces."""

    async def behave(call: Call) -> None:
        await call.reply(status, body, headers)

    return behave


def error(status: int, *, retry_after: int | None = None, message: str = "scripted") -> Behaviour:
    body = {"error": {"message": message, "type": "scripted_error", "param": None, "code": "scripted"}}
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return whole(msgspec.json.encode(body), status=status, headers=headers)


def stream(*pieces: str, usage: Json | None = USAGE, headers: Json | None = None) -> Behaviour:
    """A stream like OpenAI's: with a usage event only when it was asked for."""

    async def behave(call: Call) -> None:
        await call.start(headers)
        for item in events(pieces or ("Hel", "lo ", "there"), counted=wants_usage(call), usage=usage):
            await call.send(item)
        await call.end()

    return behave


def sending(parts: Sequence[bytes], *, then: Behaviour | None = None) -> Behaviour:
    """A stream of exactly these HTTP chunks, however they cut the events; `then` instead of a proper end."""

    async def behave(call: Call) -> None:
        await call.start()
        for part in parts:
            await call.send(part)
        await (then or Call.end)(call)

    return behave


def held(parts: Sequence[bytes], gate: asyncio.Event, rest: Sequence[bytes]) -> Behaviour:
    """Sends `parts`, waits for `gate`, sends `rest`."""

    async def behave(call: Call) -> None:
        await call.start()
        for part in parts:
            await call.send(part)
        await gate.wait()
        for part in rest:
            await call.send(part)
        await call.end()

    return behave


async def cut(call: Call) -> None:
    call.cut()


async def silence(call: Call) -> None:
    """Not another byte until the other side gives up."""
    await call.gone()
