"""A server over streamable HTTP, in either era."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial

from mcp_gateway.config import Http
from mcp_gateway.credentials.credential import Credential, HeaderList, Owner
from mcp_gateway.upstreams import greeting
from mcp_gateway.upstreams.answers import ABOUT_US, Mark, checked, messages, streamed
from mcp_gateway.upstreams.chores import Chores
from mcp_gateway.upstreams.pool import Pool, Session
from mcp_gateway.upstreams.standing import STANDS, Refused, Standing
from mcp_gateway.upstreams.upstream import Aside, Call, Hearing, Peer, Welcome, aside, is_answer, written
from mcp_gateway.upstreams.wire import Wire, mirrored, of_session
from shared import jsonrpc
from shared.errors import UpstreamBroken, UpstreamRefused
from shared.http_client import HttpClient, Reply
from shared.jsonrpc import Envelope

_FAREWELL_SECONDS = 1.0
_MOST_REQUESTS, _MOST_RESUMED = 16, 100
Respond = Callable[[bytes], None]


class HttpUpstream:
    """`changed` is told when the server says that its lists have changed, with the words that it said it
    in.
    """

    def __init__(
        self,
        name: str,
        transport: Http,
        http: HttpClient,
        *,
        credential: Credential,
        result_cap: int,
        changed: Callable[[str, str], None],
    ) -> None:
        self.name = name
        self._transport = transport
        self._wire = Wire(name, transport, http, credential)
        self._cap = result_cap
        self._changed = changed
        self._welcome: Welcome | None = None
        self._negotiating = asyncio.Lock()
        self._chores = Chores()
        self._pool = Pool(self._begin, lambda session: self._chores.add(self._end(session)))
        self._ids = itertools.count(1)
        self._heard_by = 0

    async def welcome(self) -> Welcome:
        return await self._welcomed(())

    async def call(self, call: Call) -> AsyncGenerator[Envelope, None]:
        welcome = await self._welcomed(call.owner)
        request_id = next(self._ids)
        body = jsonrpc.request(str(request_id).encode(), call.method, written(call, welcome, request_id))
        if welcome.stateless:
            reply = await self._wire.post(call.owner, body, mirrored(call, welcome))
            heard = self._heard(await self._accepted(reply), request_id)
        else:
            heard = self._heard_in_session(call, body, request_id)
        async with aclosing(heard):
            async for message in heard:
                yield self._wire.veiled(call.owner, message)

    async def listen(self, hearing: Hearing) -> AsyncGenerator[Envelope, None]:
        if (await self._welcomed(hearing.peer.owner)).stateless:
            if not (hearing.lists or hearing.uris):
                return
            async with aclosing(self.call(greeting.listening(hearing))) as said:
                async for message in said:
                    if not message.method and greeting.knows_nothing(message):
                        return
                    yield message
            raise UpstreamBroken(f"the MCP server {self.name!r} ended its stream")
        # A server may tell of a change only in the session that made it.
        self._heard_by += hearing.lists
        try:
            session = await self._pool.take(hearing.peer)
            ears, ask = session.standing.ears, partial(self._ask, session)
            async with (
                session.standing.hearing(hearing) as heard,
                ears.subscribed(hearing.uris, ask, self._chores.add),
            ):
                async for message in heard:
                    yield message
        finally:
            self._heard_by -= hearing.lists

    async def close(self) -> None:
        """Ends every session, as far as the server listens within a bounded time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await asyncio.gather(*map(self._end, self._pool.drain()), return_exceptions=True)
        await self._chores.close()

    async def _heard_in_session(
        self, call: Call, body: bytes, request_id: int
    ) -> AsyncGenerator[Envelope, None]:
        """What the server says to `body`. A session that it has forgotten is begun anew, once."""
        answered = False
        session = await self._pool.take(call.peer)
        try:
            for last in (False, True):
                async with session.standing.calling(request_id, call.asides, heard=self._heard_by > 0):
                    trace: HeaderList = [("traceparent", call.traceparent)]
                    reply = await self._wire.post(session.owner, body, [*_of(session), *trace])
                    if not last and session.id and reply.status in session.forgotten:
                        await reply.close()
                        self._drop(call.peer, session)
                        session = await self._pool.take(call.peer)
                        continue
                    session.proven = session.proven or reply.status < 300
                    heard = self._heard(await self._accepted(reply), request_id, session, call.asides)
                    async with aclosing(heard):
                        async for message in heard:
                            answered = not message.method
                            yield message
                    return
        except (asyncio.CancelledError, GeneratorExit):
            # In the session era a connection that closes says nothing: the server has to be told.
            if not answered:
                self._tell(session, greeting.cancellation(request_id))
            raise

    async def _heard(
        self,
        reply: Reply,
        request_id: int,
        session: Session | None = None,
        asides: asyncio.Queue[Aside] | None = None,
    ) -> AsyncGenerator[Envelope, None]:
        """The messages of an answer up to the one that ends it. A stream that breaks off is taken up again
        where the server has said that it can be.
        """
        asked, mark = 0, Mark()
        for _ in range(_MOST_RESUMED):
            async with reply, aclosing(messages(reply, self.name, self._cap, mark)) as said:
                async for message in said:
                    if is_answer(message, request_id, self.name):
                        yield message
                        return
                    if message.has_id and session is not None and asked < _MOST_REQUESTS:
                        asked += 1
                        veiled = self._wire.veiled(session.owner, message)
                        aside(veiled, self._responding(session), asides)
                    elif message.method.endswith("/list_changed"):
                        self._changed(self.name, message.method)
                    elif not message.has_id:
                        yield message
            if session is None or not mark.id:
                break
            await asyncio.sleep(mark.retry_seconds)
            again: HeaderList = [*_of(session), ("last-event-id", mark.taken())]
            reply = await self._accepted(await self._wire.stream(session.owner, again))
        raise UpstreamBroken(f"the MCP server {self.name!r} ended its answer before it was complete")

    async def _accepted(self, reply: Reply) -> Reply:
        try:
            return await checked(reply, self.name)
        except UpstreamRefused as error:
            if error.upstream_status == 404:
                # It may have been replaced by another one: ask again which era it speaks.
                self._welcome = None
            raise

    async def _welcomed(self, owner: Owner) -> Welcome:
        """The server's welcome, which is the same for everybody; where it is not known yet, `owner` asks."""
        if self._welcome is None:
            async with self._negotiating:
                if self._welcome is None:
                    self._welcome = await self._negotiate(owner)
        return self._welcome

    async def _negotiate(self, owner: Owner) -> Welcome:
        if self._transport.era != "session":
            welcome = await self._discover(owner)
            if welcome is not None:
                return welcome
            if self._transport.era == "stateless":
                raise UpstreamBroken(f"the MCP server {self.name!r} does not speak {greeting.NEWEST}")
        session, welcome = await self._initialize(Peer(owner))
        self._pool.keep(Peer(owner), session)
        return welcome

    async def _discover(self, owner: Owner) -> Welcome | None:
        """What the server says as one of the stateless era; None when it is none. Raises when it says
        nothing.
        """
        with contextlib.suppress(TimeoutError, UpstreamBroken):
            try:
                async with asyncio.timeout(greeting.PROBE_SECONDS):
                    answer = await self._probe(owner)
                    if greeting.wants_it_again(answer):
                        answer = await self._probe(owner)
                    return greeting.discovered(answer)
            except UpstreamRefused as error:
                if error.upstream_status in ABOUT_US or error.upstream_status >= 500:
                    raise
        return None

    async def _probe(self, owner: Owner) -> Envelope:
        call = greeting.DISCOVER
        body = jsonrpc.request(b"0", call.method, written(call, greeting.STRANGER, 0))
        return await self._answer(await self._wire.post(owner, body, mirrored(call, greeting.STRANGER)), 0)

    async def _initialize(self, peer: Peer) -> tuple[Session, Welcome]:
        body = jsonrpc.request(b"0", "initialize", greeting.initialize_params(peer.capabilities))
        reply = await self._wire.post(peer.owner, body, [])
        welcome = greeting.initialized(await self._answer(reply, 0), self.name)
        session = self._session(peer, reply.header("mcp-session-id") or "", welcome.version)
        told = jsonrpc.request(b"", "notifications/initialized")
        said = await self._wire.post(peer.owner, told, _of(session))
        await said.close()
        return session, welcome

    async def _begin(self, peer: Peer) -> Session:
        return (await self._initialize(peer))[0]

    def _session(self, peer: Peer, session_id: str, version: str) -> Session:
        def standing() -> AsyncGenerator[Envelope, None]:
            return self._stand(peer, session)

        def respond(message: bytes) -> None:
            self._tell(session, message)

        changed = lambda method: self._changed(self.name, method)  # noqa: E731
        stands = Standing(standing, changed, respond)
        session = Session(id=session_id, version=version, standing=stands, owner=peer.owner)
        return session

    async def _stand(self, peer: Peer, session: Session) -> AsyncGenerator[Envelope, None]:
        """What the server says to `session` without being asked. Raises Refused where it never does."""
        async with await self._wire.stream(session.owner, _of(session)) as reply:
            if reply.status == 404 and session.id:
                self._pool.drop(peer, session)
                raise Refused(gone=True)
            if reply.status >= 500:
                raise UpstreamBroken(f"the MCP server {self.name!r} has no stream at the moment")
            if reply.status >= 300 or not (reply.header("content-type") or "").startswith("text/event-"):
                raise Refused(gone=False)
            yield STANDS
            async with aclosing(streamed(reply, self.name, self._cap, Mark())) as said:
                async for message in said:
                    yield self._wire.veiled(session.owner, message)

    async def _ask(self, session: Session, method: str, params: bytes) -> Envelope:
        request_id = next(self._ids)
        body = jsonrpc.request(str(request_id).encode(), method, params)
        return await self._answer(await self._wire.post(session.owner, body, _of(session)), request_id)

    async def _answer(self, reply: Reply, request_id: int) -> Envelope:
        async with aclosing(self._heard(await checked(reply, self.name), request_id)) as heard:
            async for message in heard:
                if not message.method:
                    return message
        raise AssertionError("what is heard ends with an answer or an error")

    def _responding(self, session: Session) -> Respond:
        return lambda message: self._tell(session, message)

    def _tell(self, session: Session, message: bytes) -> None:
        self._chores.add(self._say(session, message))

    async def _say(self, session: Session, message: bytes) -> None:
        reply = await self._wire.post(session.owner, message, _of(session))
        await reply.close()

    def _drop(self, peer: Peer, session: Session) -> None:
        self._pool.drop(peer, session)
        self._chores.add(session.standing.close())

    async def _end(self, session: Session) -> None:
        await session.standing.close()
        if session.id:
            await self._wire.end(session.owner, _of(session))


def _of(session: Session) -> HeaderList:
    return of_session(session.id, session.version)
