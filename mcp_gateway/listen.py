"""Stage: a client that listens, on a stream that stands until somebody ends it: lists and resources that
change, and what servers ask outside of calls.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec import Raw, Struct

from mcp_gateway.ask import Ask
from mcp_gateway.authorize import Authorize
from mcp_gateway.capabilities import askable
from mcp_gateway.catalog import Catalog
from mcp_gateway.catalogs import Catalogs
from mcp_gateway.mail import Box
from mcp_gateway.questions.opened import Questions
from mcp_gateway.reply import Reply
from mcp_gateway.sessions import Session, Sessions, owner_of
from mcp_gateway.standing.changes import Changes
from mcp_gateway.standing.heard import Heard
from mcp_gateway.standing.stream import SUBSCRIPTION_ID, Ear, Stream
from mcp_gateway.standing.watches import END, MOST, Watch, Watches
from mcp_gateway.surfaces import Surface
from mcp_gateway.upstreams.greeting import LIST_FILTERS
from mcp_gateway.upstreams.upstream import Peer, Upstream
from shared import jsonrpc
from shared.account import Flight
from shared.asgi import Exchange
from shared.errors import BadRequest, NotFound, Unavailable
from shared.identity.principal import Caller
from shared.kill import KillSwitch

_ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
# Shorter than a stream's address is good for.
_PULSE_SECONDS = 20.0
# Whoever listens this long says again who it is.
_LONGEST_SECONDS = 3600.0

Work = Callable[[], Coroutine[Any, Any, None]]


class _Filter(Struct):
    toolsListChanged: bool = False
    promptsListChanged: bool = False
    resourcesListChanged: bool = False
    resourceSubscriptions: list[str] = []


class Listen:
    def __init__(
        self,
        upstreams: dict[str, Upstream],
        catalog: Catalog,
        catalogs: Catalogs,
        authorize: Authorize,
        changes: Changes,
        sessions: Sessions,
        watches: Watches,
        questions: Questions,
        kill: KillSwitch,
    ) -> None:
        self._upstreams = upstreams
        self._catalog = catalog
        self._catalogs = catalogs
        self._authorize = authorize
        self._changes = changes
        self._sessions = sessions
        self._watches = watches
        self._desk, self._mail = questions.desk, questions.mail
        self._kill = kill

    async def __call__(self, exchange: Exchange, flight: Flight, caller: Caller, ask: Ask) -> None:
        """Raises BadRequest, NotFound, Unavailable."""
        flight.entry.server = ask.surface.server
        async with Reply(exchange, streams=True) as reply:
            if ask.session is not None:
                await self._in_session(Ear(ask, caller, flight, reply), ask.session)
            else:
                await self._once(ask, caller, flight, reply)

    async def _in_session(self, ear: Ear, session: Session) -> None:
        with self._mail.opened() as box:
            await self._watches.attach(session, box.address)
            heard = self._hearing(ear.ask, ear.caller)
            heard.attend(await self._watches.of(session), ear.ask.surface.server)
            until = [partial(self._obey, box, heard, ear, session), partial(self._stay, session, box)]
            await self._run(ear, heard, ear.reply.begin, until)
        await ear.reply.end()

    async def _once(self, ask: Ask, caller: Caller, flight: Flight, reply: Reply) -> None:
        wanted = _filter(ask)
        lists = frozenset(method for name, method in LIST_FILTERS.items() if getattr(wanted, name))
        watches = [
            watch for uri in wanted.resourceSubscriptions if (watch := await self._watch(ask, caller, uri))
        ]
        ear = Ear(ask, caller, flight, reply, lists, ask.id)
        honoured: dict[str, object] = {name: True for name in LIST_FILTERS if getattr(wanted, name)}
        if watches:
            honoured["resourceSubscriptions"] = [watch.exposed for watch in watches]
        told = {"notifications": Raw(msgspec.json.encode(honoured))}
        heard = self._hearing(ask, caller)
        heard.attend(watches)
        await self._run(ear, heard, partial(ear.say, _ACKNOWLEDGED, told), [])
        own = {"_meta": {SUBSCRIPTION_ID: ask.id}}
        await reply.finish(200, jsonrpc.result(ask.id, ask.era.dressed(ask.method, msgspec.json.encode(own))))

    async def _run(self, ear: Ear, heard: Heard, begin: Work, until: Sequence[Work]) -> None:
        """`begin` tells the client that this stands: by then whatever changes has somewhere to go."""
        stream = Stream(ear, heard, self._authorize, self._desk, self._kill)
        try:
            with self._changes.heard(self._servers(ear.ask.surface)) as changes:
                await begin()
                await stream.run(changes, [*(work() for work in until), asyncio.sleep(_LONGEST_SECONDS)])
        finally:
            await heard.close()

    def _hearing(self, ask: Ask, caller: Caller) -> Heard:
        peer = Peer(owner_of(caller), bytes(ask.capabilities))
        asked = ask.session is not None and askable(ask.capabilities)
        return Heard(self._upstreams, peer, askable=asked)

    def _servers(self, surface: Surface) -> tuple[str, ...]:
        if surface.server:
            return (surface.server,)
        return self._catalogs.servers(surface.catalog) if surface.catalog else self._catalog.servers

    async def _obey(self, box: Box, heard: Heard, ear: Ear, session: Session) -> None:
        """What other requests of this session have to say to its stream."""
        while await box.get() != END:
            heard.attend(await self._watches.of(session), ear.ask.surface.server)

    async def _stay(self, session: Session, box: Box) -> None:
        """Keeps the session for as long as its stream stands; returns when it has ended after all."""
        while await self._sessions.touch(session):
            await asyncio.sleep(_PULSE_SECONDS)
            with contextlib.suppress(Unavailable):
                await self._watches.attach(session, box.address)

    async def _watch(self, ask: Ask, caller: Caller, exposed: str) -> Watch | None:
        """None for a resource that the caller may not read: whether there is one, nobody says."""
        surface = ask.surface
        try:
            server, uri = surface.split("resource", exposed)
        except NotFound:
            return None
        labels = self._catalog.labels(server, "resource", uri) if server in self._catalog.servers else None
        if labels is None or not await self._authorize.reads(server, uri, caller):
            return None
        if surface.catalog and not self._catalogs.holds(surface.catalog, "resource", server, uri, labels):
            return None
        return Watch(server, uri, exposed)


def _filter(ask: Ask) -> _Filter:
    try:
        found = msgspec.json.decode(ask.params.get("notifications", jsonrpc.NULL), type=_Filter)
    except msgspec.DecodeError as error:
        raise BadRequest(
            f"params.notifications must say what is to be heard: {error}", code=jsonrpc.INVALID_PARAMS
        ) from None
    if len(found.resourceSubscriptions) > MOST:
        raise BadRequest(f"one stream can tell of {MOST} resources", code=jsonrpc.INVALID_PARAMS)
    return found
