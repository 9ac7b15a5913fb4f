"""What the servers have, remembered for a while and asked for again when there is a reason."""

import asyncio
import contextlib
import logging
from contextlib import aclosing

import msgspec
from msgspec import Raw, Struct

from mcp_gateway.config import ServerRule, TrustName
from mcp_gateway.items import Item, Listing, Marks, items, labels_of, no_marks
from mcp_gateway.meta import members
from mcp_gateway.methods import CAPABILITIES, KINDS, LIST_METHODS, LISTS, Kind
from mcp_gateway.mirrors import well_annotated
from mcp_gateway.transports import Agents
from mcp_gateway.trust.fingerprint import identity
from mcp_gateway.trust.judge import Judge
from mcp_gateway.upstreams.upstream import Call, Upstream
from shared import jsonrpc
from shared.clock import Clock
from shared.errors import (
    Unavailable,
    UpstreamBroken,
    UpstreamFault,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from shared.jsonrpc import Envelope

_LOG = logging.getLogger("gatestack")  # noqa: TID251  servers are asked for all callers together
_MOST_PAGES = 100
_MOST_ITEMS = 10_000
_EMPTY = Raw(b"[]")
# What proxies say of a server that is being replaced.
_PASSING = frozenset((502, 503, 504))
_AGAIN_SECONDS = 0.1


class _Error(Struct):
    code: int = 0


class _Shelf:
    """What is known of one server, until when it is good, and when the server may be asked again."""

    def __init__(self) -> None:
        self.listing: Listing | None = None
        self.failure: UpstreamFault | None = None
        self.good_until = 0.0
        self.again_at = 0.0
        self.asking: asyncio.Task[None] | None = None
        self.outdated = False


class Catalog:
    """`seconds` is how long a listing is good, `pause` how often at most a server is asked, `patience` for
    how long. What `judge` holds back is not in any listing; `trust` is for servers that say nothing of it.
    """

    def __init__(
        self,
        upstreams: dict[str, Upstream],
        rules: dict[str, ServerRule],
        clock: Clock,
        *,
        seconds: float,
        pause: float,
        patience: float,
        judge: Judge | None = None,
        trust: TrustName = "on_first_use",
        marks: Marks = no_marks,
    ) -> None:
        self._upstreams = upstreams
        self._rules = rules
        self._clock = clock
        self._seconds = seconds
        self._pause = pause
        self._patience = patience
        self._judge = judge
        self._trust = trust
        self._marks = marks
        self._shelves = {name: _Shelf() for name in rules}

    @property
    def servers(self) -> tuple[str, ...]:
        return tuple(self._shelves)

    def rule(self, server: str) -> ServerRule:
        return self._rules[server]

    def labels(self, server: str, kind: Kind, name: str) -> tuple[str, ...]:
        """Those of an item that nobody has seen yet."""
        labels = labels_of(self._rules[server], kind, name)
        return (*labels, *self._marks(server, name, labels))

    async def listing(self, server: str) -> Listing:
        """What `server` has. Raises UpstreamFault when it has never said so."""
        shelf = self._shelves[server]
        if not self._good(server, self._clock.monotonic()):
            await self._ask(server, shelf)
        if shelf.listing is None:
            assert shelf.failure is not None
            raise shelf.failure.with_traceback(None)
        return shelf.listing

    async def listings(self, servers: tuple[str, ...]) -> dict[str, Listing]:
        """What each of `servers` has; those that cannot be asked are left out."""
        now = self._clock.monotonic()
        known = {server: self._shelves[server].listing for server in servers if self._good(server, now)}
        # Only those that have to be asked are worth a task each.
        asked = [server for server in servers if server not in known]
        found = await asyncio.gather(*map(self.listing, asked), return_exceptions=True)
        for problem in found:
            if isinstance(problem, BaseException) and not isinstance(problem, UpstreamFault):
                raise problem
        every = {**known, **dict(zip(asked, found, strict=True))}
        return {server: listing for server in servers if isinstance(listing := every[server], Listing)}

    def _good(self, server: str, now: float) -> bool:
        shelf = self._shelves[server]
        return shelf.listing is not None and now < shelf.good_until

    async def warm(self) -> None:
        """Asks every server, so that the first caller need not wait."""
        await self.listings(self.servers)

    async def find(self, server: str, kind: Kind, name: str) -> Item | None:
        """An item by its server's own name. An unknown one is looked for again, if that has not just been
        done.
        """
        item = (await self.listing(server)).get(kind, name)
        if item is None:
            shelf = self._shelves[server]
            await self._ask(server, shelf)
            item = shelf.listing.get(kind, name) if shelf.listing is not None else None
        return item

    async def renewed(self, server: str) -> None:
        """Waits until a server that has changed may be asked again, and asks it."""
        shelf = self._shelves[server]
        await asyncio.sleep(max(shelf.again_at - self._clock.monotonic(), 0.0))
        with contextlib.suppress(UpstreamFault):
            await self.listing(server)

    def changed(self, server: str) -> None:
        """The server says that its lists have changed: the next reader asks it, if that has not just been
        done.
        """
        shelf = self._shelves[server]
        shelf.good_until, shelf.outdated = 0.0, True
        if shelf.listing is None:
            # It has only just come: whoever asks need not wait as if it were still gone.
            shelf.again_at = 0.0

    def decided(self, server: str) -> None:
        """Somebody said what is trusted: the next reader asks again, however lately that was done."""
        shelf = self._shelves[server]
        shelf.good_until, shelf.again_at, shelf.outdated = 0.0, 0.0, True

    async def close(self) -> None:
        asking = [shelf.asking for shelf in self._shelves.values() if shelf.asking is not None]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, server: str, shelf: _Shelf) -> None:
        """One question for all who wait for it; no reader that leaves takes it away from the others."""
        if shelf.asking is None:
            if self._clock.monotonic() < shelf.again_at:
                return
            shelf.asking = asyncio.create_task(self._renew(server, shelf))
        await asyncio.shield(shelf.asking)

    async def _renew(self, server: str, shelf: _Shelf) -> None:
        began, shelf.outdated = self._clock.monotonic(), False
        try:
            async with asyncio.timeout(self._patience):
                shelf.listing = await self._fetch(server)
            shelf.failure = None
        except UpstreamFault as error:
            self._note(shelf, error)
        except Unavailable as error:
            text = f"nobody can say which tools of the MCP server {server!r} are trusted"
            self._note(shelf, UpstreamUnreachable(text, cause=error))
        except TimeoutError as error:
            text = f"the MCP server {server!r} did not say within {self._patience:g} s what it has"
            self._note(shelf, UpstreamTimeout(text, cause=error))
        except Exception as error:
            # Whatever a server says, it must not take anything down but itself.
            _LOG.exception("the lists of the MCP server %s", server)
            text = f"the MCP server {server!r} lists nothing readable"
            self._note(shelf, UpstreamBroken(text, cause=error))
        finally:
            now = self._clock.monotonic()
            # A server that lets us wait is asked less often: those who want the lists of others wait with us.
            shelf.again_at = now + self._pause + 3 * (now - began)
            # What was said while it answered may not be in its answer.
            shelf.good_until = 0.0 if shelf.outdated else now + self._seconds
            shelf.asking = None

    def _note(self, shelf: _Shelf, failure: UpstreamFault) -> None:
        if shelf.failure is None:
            _LOG.warning("%s", f"{failure.detail} ({failure.cause})" if failure.cause else failure.detail)
        shelf.failure = failure

    async def _fetch(self, server: str) -> Listing:
        upstream, rule = self._upstreams[server], self._rules[server]
        welcome = await upstream.welcome()
        wanted = [kind for kind in KINDS if CAPABILITIES[kind] in welcome.capabilities]
        found = await asyncio.gather(*(_definitions(upstream, kind) for kind in wanted))
        defined: dict[Kind, list[Raw]] = dict(zip(wanted, found, strict=True))
        if welcome.stateless:
            defined["tool"] = [tool for tool in defined.get("tool", []) if well_annotated(tool)]
        found_items = {kind: items(server, kind, rule, defined.get(kind, []), self._marks) for kind in KINDS}
        listing = Listing(welcome=welcome, items=found_items)
        if self._judge is None:
            return listing
        who = identity(rule.transport, bytes(welcome.info))
        # Agents are held to their cards where they are registered.
        trust = "unpinned" if isinstance(rule.transport, Agents) else self._trust
        return await self._judge(server, who, listing, rule.trust or trust)


async def _definitions(upstream: Upstream, kind: Kind) -> list[Raw]:
    """All pages of one list. A server may offer resources and know no templates: that is an empty list."""
    found: list[Raw] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        params = {"cursor": Raw(msgspec.json.encode(cursor))} if cursor is not None else {}
        answer = await _answer(upstream, Call(method=LIST_METHODS[kind], params=params))
        if bytes(answer.error):
            return found if _code(answer.error) == jsonrpc.METHOD_NOT_FOUND else _refused(upstream.name)
        try:
            page = members(answer.result)
            found += msgspec.json.decode(page.get(LISTS[kind], _EMPTY), type=list[Raw])
            cursor = msgspec.json.decode(page.get("nextCursor", jsonrpc.NULL), type=str | None)
        except msgspec.DecodeError as error:
            raise UpstreamBroken(
                f"the MCP server {upstream.name!r} lists nothing readable", cause=error
            ) from error
        if not cursor or len(found) > _MOST_ITEMS:
            return found[:_MOST_ITEMS]
    return found


async def _answer(upstream: Upstream, call: Call) -> Envelope:
    """Asked twice where the first time nobody was there: to ask what there is changes nothing."""
    try:
        return await _asked(upstream, call)
    except (UpstreamUnreachable, UpstreamRefused) as error:
        if error.retry_after is not None or getattr(error, "upstream_status", 503) not in _PASSING:
            raise
    await asyncio.sleep(_AGAIN_SECONDS)
    return await _asked(upstream, call)


async def _asked(upstream: Upstream, call: Call) -> Envelope:
    async with aclosing(upstream.call(call)) as messages:
        async for message in messages:
            if not message.method:
                return message
    raise UpstreamBroken(f"the MCP server {upstream.name!r} ended its answer before it was complete")


def _code(error: Raw) -> int:
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(error, type=_Error).code
    return 0


def _refused(server: str) -> list[Raw]:
    raise UpstreamRefused(
        f"the MCP server {server!r} would not list what it has", upstream_status=200, retryable=False
    )
