"""A server over streamable HTTP, in either era. Its own credential goes up, nothing of the caller's does."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import msgspec

from mcp_gateway.config import Http
from mcp_gateway.mirrors import encoded
from mcp_gateway.upstreams import greeting
from mcp_gateway.upstreams.answers import ABOUT_US, checked, messages
from mcp_gateway.upstreams.chores import Chores
from mcp_gateway.upstreams.pool import Owner, Session, SessionPool
from mcp_gateway.upstreams.upstream import Call, Welcome, is_answer, refusal, written
from shared import jsonrpc
from shared.dialects.mcp import VERSION_HEADER
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused, UpstreamUnreachable
from shared.http_client import HttpClient, Reply
from shared.jsonrpc import Envelope

HeaderList = list[tuple[bytes | str, bytes | str]]
_CONNECT_SECONDS = 5.0
_FAREWELL_SECONDS = 1.0
_MOST_REQUESTS = 16


class HttpUpstream:
    """`changed` is told when the server says that its lists have changed."""

    def __init__(
        self, name: str, transport: Http, http: HttpClient, *, result_cap: int, changed: Callable[[str], None]
    ) -> None:
        self.name = name
        self._transport = transport
        self._http = http
        self._cap = result_cap
        self._changed = changed
        self._own: HeaderList = [(key.lower(), secret.reveal()) for key, secret in transport.headers.items()]
        self._welcome: Welcome | None = None
        self._negotiating = asyncio.Lock()
        self._chores = Chores()
        self._pool = SessionPool(self._begin, lambda session: self._chores.add(self._end(session)))
        self._ids = itertools.count(1)

    async def welcome(self) -> Welcome:
        if self._welcome is None:
            async with self._negotiating:
                if self._welcome is None:
                    self._welcome = await self._negotiate()
        return self._welcome

    async def call(self, call: Call) -> AsyncGenerator[Envelope, None]:
        welcome = await self.welcome()
        request_id = next(self._ids)
        asked, answered = 0, False
        try:
            async with (
                await self._send(call, welcome, request_id) as reply,
                aclosing(messages(reply, self.name, self._cap)) as heard,
            ):
                async for message in heard:
                    if answered := is_answer(message, request_id, self.name):
                        yield message
                        return
                    if message.has_id:
                        asked += 1
                        self._refuse(call.owner, welcome, message, asked)
                    elif message.method.endswith("/list_changed"):
                        self._changed(self.name)
                    else:
                        yield message
        except (asyncio.CancelledError, GeneratorExit):
            # In the session era a connection that closes says nothing: the server has to be told.
            if not answered and not welcome.stateless:
                self._chores.add(self._cancel(call.owner, request_id))
            raise
        raise UpstreamBroken(f"the MCP server {self.name!r} ended its answer before it was complete")

    async def close(self) -> None:
        """Ends every session, as far as the server listens within a bounded time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await asyncio.gather(*map(self._end, self._pool.drain()), return_exceptions=True)
        await self._chores.close()

    async def _negotiate(self) -> Welcome:
        if self._transport.era != "session":
            welcome = await self._discover()
            if welcome is not None:
                return welcome
            if self._transport.era == "stateless":
                raise UpstreamBroken(f"the MCP server {self.name!r} does not speak {greeting.NEWEST}")
        session, welcome = await self._initialize()
        self._pool.keep((), session)
        return welcome

    async def _discover(self) -> Welcome | None:
        """What the server says as one of the stateless era; None when it is none. Raises when it says
        nothing.
        """
        call = greeting.DISCOVER
        body = jsonrpc.request(b"0", call.method, written(call, greeting.STRANGER, 0))
        with contextlib.suppress(TimeoutError, UpstreamBroken):
            try:
                async with asyncio.timeout(greeting.PROBE_SECONDS):
                    reply = await self._post(body, _mirrored(call, greeting.STRANGER))
                    return greeting.discovered(await self._answer(reply))
            except UpstreamRefused as error:
                if error.upstream_status in ABOUT_US or error.upstream_status >= 500:
                    raise
        return None

    async def _initialize(self) -> tuple[Session, Welcome]:
        body = jsonrpc.request(b"0", "initialize", greeting.initialize_params())
        reply = await self._post(body, [])
        welcome = greeting.initialized(await self._answer(reply), self.name)
        session = Session(id=reply.header("mcp-session-id") or "", version=welcome.version)
        await self._say(session, jsonrpc.request(b"", "notifications/initialized"))
        return session, welcome

    async def _begin(self) -> Session:
        return (await self._initialize())[0]

    async def _send(self, call: Call, welcome: Welcome, request_id: int) -> Reply:
        """The server's answer to `call`, past its status. A session that it has forgotten is begun anew,
        once.
        """
        body = jsonrpc.request(str(request_id).encode(), call.method, written(call, welcome, request_id))
        if welcome.stateless:
            reply = await self._post(body, _mirrored(call, welcome))
        else:
            reply = await self._send_in_session(call, body)
        try:
            return await checked(reply, self.name)
        except UpstreamRefused as error:
            if error.upstream_status == 404:
                # It may have been replaced by another one: ask again which era it speaks.
                self._welcome = None
            raise

    async def _send_in_session(self, call: Call, body: bytes) -> Reply:
        session = await self._pool.take(call.owner)
        reply = await self._post(body, [*_of(session), ("traceparent", call.traceparent)])
        # The standard says 404; servers that keep sessions in memory often say 400 after a restart.
        forgotten = (400, 404) if session.proven else (404,)
        if session.id and reply.status in forgotten:
            await reply.close()
            self._pool.drop(call.owner, session)
            session = await self._pool.take(call.owner)
            reply = await self._post(body, [*_of(session), ("traceparent", call.traceparent)])
        session.proven = session.proven or reply.status < 300
        return reply

    async def _answer(self, reply: Reply) -> Envelope:
        """The answer to a request of ours that had the id 0."""
        async with (
            await checked(reply, self.name),
            aclosing(messages(reply, self.name, self._cap)) as heard,
        ):
            async for message in heard:
                if is_answer(message, 0, self.name):
                    return message
        raise UpstreamBroken(f"the MCP server {self.name!r} ended its answer before it was complete")

    async def _post(self, body: bytes, headers: HeaderList) -> Reply:
        try:
            return await self._http.send(
                "POST",
                self._transport.url,
                headers=[
                    ("content-type", "application/json"),
                    ("accept", "application/json, text/event-stream"),
                    *((name, value) for name, value in headers if value),
                    *self._own,
                ],
                body=body,
                connect_timeout=_CONNECT_SECONDS,
                # Whoever asks knows how long to wait.
                header_timeout=None,
                idle_timeout=None,
            )
        except UpstreamFault as error:
            raise UpstreamUnreachable(
                f"the MCP server {self.name!r} cannot be reached", cause=error
            ) from error

    def _refuse(self, owner: Owner, welcome: Welcome, request: Envelope, asked: int) -> None:
        """A server that asks its client something gets an answer, so that it does not wait."""
        if not welcome.stateless and asked <= _MOST_REQUESTS:
            self._chores.add(self._deliver(owner, refusal(request)))

    async def _cancel(self, owner: Owner, request_id: int) -> None:
        await self._deliver(owner, greeting.cancellation(request_id))

    async def _deliver(self, owner: Owner, message: bytes) -> None:
        await self._say(await self._pool.take(owner), message)

    async def _say(self, session: Session, message: bytes) -> None:
        reply = await self._post(message, _of(session))
        await reply.close()

    async def _end(self, session: Session) -> None:
        if session.id:
            headers = [*_of(session), *self._own]
            reply = await self._http.send("DELETE", self._transport.url, headers=headers)
            await reply.close()


def _of(session: Session) -> HeaderList:
    return [("mcp-session-id", session.id), (VERSION_HEADER, session.version)]


def _mirrored(call: Call, welcome: Welcome) -> HeaderList:
    """What the stateless era wants to see in headers too."""
    named = call.params.get("uri" if call.method == "resources/read" else "name")
    return [
        (VERSION_HEADER, welcome.version),
        ("mcp-method", call.method),
        ("mcp-name", encoded(msgspec.json.decode(named)) if named is not None else ""),
        ("traceparent", call.traceparent),
        *call.headers,
    ]
