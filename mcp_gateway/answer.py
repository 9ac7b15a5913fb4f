"""What the gateway answers itself: handshakes, lists, and the small talk of sessions."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Raw

from mcp_gateway import meta, methods
from mcp_gateway.ask import Ask
from mcp_gateway.authorize import Authorize
from mcp_gateway.catalog import Catalog
from mcp_gateway.catalogs import Catalogs
from mcp_gateway.eras.session import SESSION_HEADER
from mcp_gateway.eras.stateless import SUPPORTED
from mcp_gateway.items import Listing
from mcp_gateway.methods import CAPABILITIES, LISTS
from mcp_gateway.questions.desk import Desk
from mcp_gateway.reply import JSON_HEADERS
from mcp_gateway.running import Running
from mcp_gateway.search.finder import Finder
from mcp_gateway.search.tools import DEFINITIONS, DESCRIBE_METHOD, SEARCH_METHOD
from mcp_gateway.sessions import Sessions
from mcp_gateway.standing.watches import Watches
from shared import jsonrpc
from shared.account import Flight
from shared.asgi import Exchange
from shared.dialects.mcp import SESSION_VERSIONS
from shared.errors import BadRequest
from shared.identity.principal import Caller

_EMPTY = b"{}"
# What servers offer and this gateway passes on, and of what changes in it clients are told.
_OFFERED = (*dict.fromkeys(CAPABILITIES.values()), "completions", "logging")
_TOLD = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
}

Answered = tuple[int, list[tuple[bytes, bytes]], bytes]


class Answer:
    def __init__(
        self,
        catalog: Catalog,
        catalogs: Catalogs,
        authorize: Authorize,
        sessions: Sessions,
        running: Running,
        desk: Desk,
        watches: Watches,
        *,
        list_seconds: float,
        results: int,
    ) -> None:
        self._catalog = catalog
        self._catalogs = catalogs
        self._finder = Finder(catalogs, authorize, self._listings, results=results)
        self._authorize = authorize
        self._sessions = sessions
        self._running = running
        self._desk = desk
        self._watches = watches
        self._ttl = Raw(str(int(list_seconds * 1000)).encode())
        self._table: dict[str, Callable[[Ask, Caller], Awaitable[Answered]]] = {
            "initialize": self._initialize,
            "server/discover": self._discover,
            "ping": self._ping,
            "logging/setLevel": self._set_level,
            methods.NOTIFICATION.name: self._notified,
            methods.END_SESSION.name: self._end,
            SEARCH_METHOD.name: self._search,
            DESCRIBE_METHOD.name: self._describe,
        }

    async def __call__(self, exchange: Exchange, flight: Flight, caller: Caller, ask: Ask) -> None:
        if ask.method.does == "list":
            status, headers, body = await self._list(ask, caller, flight)
        else:
            status, headers, body = await self._table[ask.method.name](ask, caller)
        await exchange.reply(status, [*JSON_HEADERS, *headers] if body else headers, body)

    async def _list(self, ask: Ask, caller: Caller, flight: Flight) -> Answered:
        """Everything of one kind that the caller could use, on one page."""
        if "cursor" in ask.params and bytes(ask.params["cursor"]) != b"null":
            raise BadRequest("there is no such cursor: lists here have one page", code=jsonrpc.INVALID_PARAMS)
        kind, shown, known = ask.method.kind, list[bytes](), 0
        if kind == "tool" and ask.surface.search:
            shown, known = list(DEFINITIONS), len(DEFINITIONS)
        else:
            listings = await self._listings(ask)
            known = sum(len(listing.items[kind]) for listing in listings.values())
            visible = await self._authorize.visible(listings, kind, caller, ask.surface)
            for server, items in visible.items():
                shown += self._catalogs.all_shown(ask.surface, server, items)
        flight.entry.detail = f"{len(shown)} of {known} shown"
        listed = b'"' + LISTS[kind].encode() + b'":[' + b",".join(shown) + b"]"
        return 200, [], jsonrpc.result(ask.id, ask.era.listed(listed, bytes(self._ttl)))

    async def _listings(self, ask: Ask) -> dict[str, Listing]:
        """What the servers of this endpoint have. A server's own endpoint says so when that cannot
        be told.
        """
        if ask.surface.server:
            return {ask.surface.server: await self._catalog.listing(ask.surface.server)}
        if ask.surface.catalog:
            return await self._catalog.listings(self._catalogs.servers(ask.surface.catalog))
        return await self._catalog.listings(self._catalog.servers)

    async def _initialize(self, ask: Ask, caller: Caller) -> Answered:
        wanted = ask.params.get("protocolVersion", jsonrpc.NULL)
        if bytes(wanted)[:1] != b'"':
            raise BadRequest("params.protocolVersion must be a string", code=jsonrpc.INVALID_PARAMS)
        asked = msgspec.json.decode(wanted)
        version = asked if asked in SESSION_VERSIONS else SESSION_VERSIONS[0]
        listings = await self._listings(ask)
        session = await self._sessions.begin(caller, ask.surface, version, ask.capabilities)
        result = {
            "protocolVersion": version,
            "capabilities": _capabilities(ask, listings),
            "serverInfo": _info(ask, listings),
            **await self._instructions(ask, caller, listings),
        }
        status, headers, body = _result(ask, msgspec.json.encode(result))
        return status, [*headers, (SESSION_HEADER.encode(), session.id.encode())], body

    async def _discover(self, ask: Ask, caller: Caller) -> Answered:
        listings = await self._listings(ask)
        result = {
            "supportedVersions": SUPPORTED,
            "capabilities": _capabilities(ask, listings),
            "ttlMs": self._ttl,
            "_meta": {meta.SERVER_INFO: _info(ask, listings)},
            **await self._instructions(ask, caller, listings),
        }
        return _result(ask, msgspec.json.encode(result))

    async def _instructions(self, ask: Ask, caller: Caller, listings: dict[str, Listing]) -> dict[str, str]:
        """What servers say of their use: only those of which the caller may use something exist for it."""
        rule = self._catalogs.rule(ask.surface.catalog)
        if rule is not None and rule.instructions:
            text = rule.instructions
        elif ask.surface.server:
            text = listings[ask.surface.server].welcome.instructions
        else:
            parts = ((server, listing.welcome.instructions) for server, listing in listings.items())
            told = [
                f"{server}: {words}"
                for server, words in parts
                if words and await self._authorize.sees(server, caller, ask.surface)
            ]
            text = "\n\n".join(told)
        return {"instructions": text} if text else {}

    async def _ping(self, ask: Ask, caller: Caller) -> Answered:
        return _result(ask, _EMPTY)

    async def _set_level(self, ask: Ask, caller: Caller) -> Answered:
        level = bytes(ask.params.get("level", jsonrpc.NULL)).decode("utf-8", "replace").strip('"')
        if level not in meta.LEVELS:
            raise BadRequest(
                f"params.level must be one of {', '.join(meta.LEVELS)}", code=jsonrpc.INVALID_PARAMS
            )
        assert ask.session is not None
        await self._sessions.set_level(ask.session, caller, level)
        return _result(ask, _EMPTY)

    async def _search(self, ask: Ask, caller: Caller) -> Answered:
        return _result(ask, await self._finder.search(ask, caller))

    async def _describe(self, ask: Ask, caller: Caller) -> Answered:
        return _result(ask, await self._finder.describe(ask, caller))

    async def _notified(self, ask: Ask, caller: Caller) -> Answered:
        """An answer goes to whoever asked; of what else a client tells, only that a call is no longer wanted
        means anything here. Raises BadRequest for an answer that nobody waits for.
        """
        if ask.session is not None and ask.told is not None and not ask.told.method:
            await self._desk.answered(ask.session, ask.told)
        if ask.session is not None and "requestId" in ask.params:
            await self._running.cancel(ask.session.id, bytes(ask.params["requestId"]))
        return 202, [], b""

    async def _end(self, ask: Ask, caller: Caller) -> Answered:
        assert ask.session is not None
        await self._sessions.end(ask.session, caller)
        await self._watches.ended(ask.session)
        return 200, [], b""


def _result(ask: Ask, result: bytes) -> Answered:
    return 200, [], jsonrpc.result(ask.id, ask.era.dressed(ask.method, result))


def _capabilities(ask: Ask, listings: dict[str, Listing]) -> dict[str, Any]:
    """What any of the servers offers. Of lists that change all are told: somebody may approve a tool."""
    offered = {name for listing in listings.values() for name in listing.welcome.capabilities}
    found: dict[str, Any] = {name: _TOLD.get(name, {}) for name in _OFFERED if name in offered}
    if not ask.surface.server:
        return found
    welcome = listings[ask.surface.server].welcome
    # What nobody here knows is between the two of them, if they are of one era.
    alike = welcome.stateless == ask.era.stateless
    return welcome.capabilities | found if alike else found


def _info(ask: Ask, listings: dict[str, Listing]) -> Raw:
    """A server's own endpoint presents that server; the merged one presents the gateway."""
    return listings[ask.surface.server].welcome.info if ask.surface.server else meta.IDENTITY_RAW
