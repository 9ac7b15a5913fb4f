"""A server over the transport of 2024-11-05: one stream on which it says everything, and an address, told on
that stream, to which it is written. The stream is the session; each peer has its own.

Source: https://modelcontextprotocol.io/specification/2024-11-05/basic/transports
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from urllib.parse import urljoin, urlsplit

from mcp_gateway.config import Sse
from mcp_gateway.credentials.credential import Credential
from mcp_gateway.upstreams import greeting
from mcp_gateway.upstreams.chores import Chores
from mcp_gateway.upstreams.line import Line
from mcp_gateway.upstreams.pool import Pool
from mcp_gateway.upstreams.upstream import Call, Hearing, Peer, Welcome, heard, written
from mcp_gateway.upstreams.wire import Wire
from shared import jsonrpc
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused, UpstreamTimeout
from shared.http_client import HttpClient, Reply
from shared.jsonrpc import Envelope
from shared.sse import SseSplitter, data_of, name_of

_HELLO_SECONDS = 15.0
_LONGEST_ENDPOINT = 4096


class _Connection:
    """One stream that stands: `reader` hands out what comes on it."""

    def __init__(self, line: Line, reply: Reply) -> None:
        self.line = line
        self.reply = reply
        self.endpoint: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.welcome: Welcome | None = None
        self.reader: asyncio.Task[None] | None = None

    async def close(self) -> None:
        if self.reader is not None:
            self.reader.cancel()
            await asyncio.gather(self.reader, return_exceptions=True)
        self.lost(UpstreamBroken("the connection to the MCP server was closed"))

    def lost(self, reason: UpstreamFault) -> None:
        self.line.end(reason)
        if not self.endpoint.done():
            self.endpoint.set_exception(reason)
            # Nobody may have come to wait for it.
            self.endpoint.exception()


class SseUpstream:
    def __init__(
        self,
        name: str,
        transport: Sse,
        http: HttpClient,
        *,
        credential: Credential,
        result_cap: int,
        changed: Callable[[str, str], None],
    ) -> None:
        self.name = name
        self._url = transport.url
        self._wire = Wire(name, transport, http, credential)
        self._cap = result_cap
        self._changed = changed
        self._chores = Chores()
        self._pool: Pool[_Connection] = Pool(self._open, lambda one: self._chores.add(one.close()))
        self._ids = itertools.count(1)

    async def welcome(self) -> Welcome:
        found = (await self._connected(Peer())).welcome
        assert found is not None
        return found

    async def call(self, call: Call) -> AsyncGenerator[Envelope, None]:
        connection = await self._connected(call.peer)
        assert connection.welcome is not None
        request_id, answered = next(self._ids), False
        params = written(call, connection.welcome, request_id)
        try:
            said = connection.line.exchange(request_id, call.method, params, call.asides)
            async with aclosing(said):
                async for message in said:
                    answered = not message.method
                    yield self._wire.veiled(call.owner, message)
        except (asyncio.CancelledError, GeneratorExit):
            if not answered:
                connection.line.tell(greeting.cancellation(request_id))
            raise

    async def listen(self, hearing: Hearing) -> AsyncGenerator[Envelope, None]:
        connection = await self._connected(hearing.peer)

        async def ask(method: str, params: bytes) -> Envelope:
            return await self._ask(connection, method, params)

        ears = connection.line.ears
        async with ears.hearing(hearing) as said, ears.subscribed(hearing.uris, ask, self._chores.add):
            async for message in said:
                yield self._wire.veiled(hearing.peer.owner, message)

    async def close(self) -> None:
        await asyncio.gather(*(one.close() for one in self._pool.drain()), return_exceptions=True)
        await self._chores.close()

    async def _connected(self, peer: Peer) -> _Connection:
        connection = await self._pool.take(peer)
        if connection.line.ended is not None:
            self._pool.drop(peer, connection)
            await connection.close()
            connection = await self._pool.take(peer)
        return connection

    async def _open(self, peer: Peer) -> _Connection:
        """Raises UpstreamFault."""
        reply = await self._wire.stream(peer.owner, [])
        kind = reply.header("content-type") or ""
        if reply.status != 200 or not kind.startswith("text/event-stream"):
            await reply.close()
            raise UpstreamRefused(
                f"the MCP server {self.name!r} has no stream: HTTP status {reply.status}",
                upstream_status=reply.status,
                retryable=False,
            )

        async def write(message: bytes) -> None:
            await self._write(peer, await asyncio.shield(connection.endpoint), message)

        line = Line(self.name, write, self._chores.add, self._changed, shared=False)
        connection = _Connection(line, reply)
        connection.reader = asyncio.create_task(self._read(connection))
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                connection.welcome = await self._greet(connection, peer)
        except TimeoutError as error:
            await connection.close()
            raise UpstreamTimeout(f"the MCP server {self.name!r} does not begin", cause=error) from error
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _greet(self, connection: _Connection, peer: Peer) -> Welcome:
        params = greeting.initialize_params(peer.capabilities)
        answer = await self._ask(connection, "initialize", params)
        welcome = greeting.initialized(answer, self.name)
        connection.line.tell(jsonrpc.request(b"", "notifications/initialized"))
        return welcome

    async def _ask(self, connection: _Connection, method: str, params: bytes) -> Envelope:
        async with aclosing(connection.line.exchange(next(self._ids), method, params)) as said:
            async for message in said:
                if not message.method:
                    return message
        raise AssertionError("an exchange ends with an answer or an error")

    async def _write(self, peer: Peer, endpoint: str, message: bytes) -> None:
        """Raises UpstreamRefused: on this transport the answer comes another way."""
        async with await self._wire.post(peer.owner, message, [], url=endpoint) as reply:
            if reply.status >= 300:
                raise UpstreamRefused(
                    f"the MCP server {self.name!r} answered with HTTP status {reply.status}",
                    upstream_status=reply.status,
                    retryable=False,
                )

    async def _read(self, connection: _Connection) -> None:
        """Hands out what the server says until the stream ends; then nobody is left waiting."""
        reason: UpstreamFault = UpstreamBroken(f"the MCP server {self.name!r} ended its stream")
        splitter = SseSplitter(self._cap)
        try:
            async with connection.reply as reply:
                async for chunk in reply.chunks():
                    for event in splitter.feed(chunk):
                        self._hear(connection, event)
        except UpstreamFault as error:
            reason = error
        finally:
            connection.lost(reason)

    def _hear(self, connection: _Connection, event: bytes) -> None:
        data = data_of(event)
        if name_of(event) != b"endpoint":
            if data:
                connection.line.hear(heard(data, self.name))
        elif not connection.endpoint.done():
            connection.endpoint.set_result(self._endpoint(data))

    def _endpoint(self, told: bytes) -> str:
        """Where it is to be written to. Raises UpstreamBroken for an address of somebody else: our credential
        goes there too.
        """
        with contextlib.suppress(ValueError):
            found = urljoin(self._url, told[:_LONGEST_ENDPOINT].decode())
            if _origin(found) == _origin(self._url):
                return found
        raise UpstreamBroken(f"the MCP server {self.name!r} wants to be written to somewhere else")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
