"""`/registry/v0.1`: lists of servers and skills, their versions and one version, in the JSON of the official
MCP registry. What the caller may not know of is missing.

Source: https://github.com/modelcontextprotocol/registry (v0.1 of its API).
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from starlette.routing import Route

from mcp_gateway.registry.shown import Query, Shown, asked
from mcp_gateway.transports import SKILLS
from shared.account import Account, Flight
from shared.asgi import Exchange, Receive, Scope, Send
from shared.authenticators import Authenticate
from shared.catalog_entries import LATEST
from shared.dialects.plain import Plain
from shared.errors import MethodNotAllowed, NotFound
from shared.identity.principal import Caller
from shared.policy import Decision, Grant, PolicyBox

PATH = "/registry/v0.1"
_ONE = re.compile(r"/(?P<name>[^/]+(?:/[^/]+)?)/versions(?:/(?P<version>[^/]+))?")
_LISTED = "the registry shows what policy allows, and nothing else"


class Shelf(Protocol):
    """One kind of thing, as a caller may know it. `key` is what one of them is called in JSON."""

    @property
    def key(self) -> str: ...

    async def visible(self, caller: Caller) -> list[Shown]: ...

    async def search(self, caller: Caller, words: str) -> list[Shown]: ...

    async def described(self, page: Sequence[Shown], caller: Caller) -> list[Shown]:
        """With what is only looked up for those that are shown; without what has gone meanwhile."""
        ...


class RegistryPages:
    def __init__(
        self, account: Account, authenticate: Authenticate, policy: PolicyBox, shelves: dict[str, Shelf]
    ) -> None:
        self._account = account
        self._authenticate = authenticate
        self._policy = policy
        self._shelves = shelves

    def routes(self) -> list[Route]:
        return [Route(PATH + "/{rest:path}", endpoint=self)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, Plain()) as flight:
            caller = await self._authenticate(exchange)
            flight.identify(caller)
            kind, rest = self._asked(exchange)
            flight.entry.resource, flight.entry.action = f"{self._shelves[kind].key}:*", "list"
            self._record(flight, caller)
            body = msgspec.json.encode(await self._answer(exchange, flight, caller, kind, rest))
            await _reply(exchange, body)

    def _asked(self, exchange: Exchange) -> tuple[str, str]:
        """Raises NotFound, MethodNotAllowed."""
        kind, slash, rest = exchange.path.removeprefix(PATH + "/").partition("/")
        if kind not in self._shelves:
            raise NotFound(f"nothing is served at {exchange.path[:200]}")
        if exchange.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(f"{PATH}/{kind} takes GET")
        return kind, slash + rest

    def _record(self, flight: Flight, caller: Caller) -> None:
        decision = Decision(True, "", self._policy.current.epoch, caller.actor, _LISTED)
        flight.granted(Grant(caller, flight.entry.resource, "list", decision))
        flight.check()

    async def _answer(
        self, exchange: Exchange, flight: Flight, caller: Caller, kind: str, rest: str
    ) -> dict[str, Any]:
        shelf, query = self._shelves[kind], asked(exchange.query)
        if rest in ("", "/"):
            found = await (shelf.search(caller, query.search) if query.search else shelf.visible(caller))
            page, cursor = query.page([shown for shown in found if query.fits(shown)])
            flight.entry.detail = f"{len(page)} of {len(found)} shown"
            return _list(kind, shelf.key, await shelf.described(page, caller), cursor)
        match = _ONE.fullmatch(rest)
        if match is None:
            raise NotFound(f"there is no page of {kind} at {rest[:200]}")
        versions = await self._versions(shelf, caller, query, match["name"])
        if not versions:
            raise NotFound(f"there is no {shelf.key} {match['name'][:200]!r} here")
        if kind == SKILLS:
            flight.entry.server, flight.entry.skill = SKILLS, match["name"]
            flight.check()
        if match["version"] is None:
            return _list(kind, shelf.key, await shelf.described(versions, caller), "")
        found = await shelf.described([_version(versions, match["version"])], caller)
        if not found:
            raise NotFound(f"there is no {shelf.key} {match['name'][:200]!r} here")
        return found[0].told(shelf.key)

    async def _versions(self, shelf: Shelf, caller: Caller, query: Query, name: str) -> list[Shown]:
        found = [shown for shown in await shelf.visible(caller) if shown.entry.name == name]
        return [shown for shown in found if query.deleted or shown.entry.state != "deleted"]


def _list(kind: str, key: str, page: list[Shown], cursor: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"count": len(page)}
    if cursor:
        metadata["nextCursor"] = cursor
    return {kind: [shown.told(key) for shown in page], "metadata": metadata}


def _version(versions: list[Shown], wanted: str) -> Shown:
    for shown in versions:
        if shown.latest if wanted == LATEST else shown.entry.version == wanted:
            return shown
    raise NotFound(f"there is no version {wanted[:80]!r} of {versions[0].entry.name}")


async def _reply(exchange: Exchange, body: bytes) -> None:
    """Answers are one caller's: nobody between may keep them for another."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = [
        (b"cache-control", b"private, no-cache"),
        (b"vary", b"authorization"),
        (b"etag", etag.encode()),
    ]
    known = exchange.header_or_none("if-none-match") or ""
    if etag in [part.strip().removeprefix("W/") for part in known.split(",")]:
        await exchange.reply(304, headers)
        return
    headers.append((b"content-type", b"application/json"))
    await exchange.reply(200, headers, b"" if exchange.method == "HEAD" else body)
