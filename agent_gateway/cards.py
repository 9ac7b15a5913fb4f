"""Agents' own cards: fetched when first needed, kept for a while, and kept on when an agent does not
answer later.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from agent_gateway.bindings.earlier import card as earlier_card
from agent_gateway.call import Wire
from agent_gateway.catalog import WIRE, Agent, Endpoint
from shared.bridges import Bridge
from shared.clock import Clock
from shared.egress import Egress, origin
from shared.errors import BadRequest, UpstreamBroken, UpstreamFault, UpstreamRefused
from shared.http_client import HttpClient
from shared.jsonrpc import refuse_duplicates

Accept = Callable[[Agent, dict[str, Any]], Awaitable[dict[str, Any]]]
Made = Callable[[Agent, Bridge], Awaitable[dict[str, Any]]]
# Whose agent it is and where its card comes from.
_Source = tuple[str, str, Bridge | None]
_HEADER_SECONDS = 10.0
# After a failed attempt the card that we still have is good enough for this long.
_AGAIN_SECONDS = 10.0


async def _as_it_is(_: Agent, content: dict[str, Any]) -> dict[str, Any]:
    return content


async def _nobodys(agent: Agent, _: Bridge) -> dict[str, Any]:
    raise UpstreamBroken(f"{agent.name} has no card")


class Original(Struct, frozen=True):
    """The very bytes of an agent's card, and since when they have been these."""

    body: bytes
    since: float


class Card(Struct, frozen=True):
    """What may be relied upon of an agent's card, since when it has read like that, and when to look again.
    A card that was made here has no `original`.
    """

    content: dict[str, Any]
    since: float
    until: float
    original: Original | None = None


class Cards:
    """`seconds` is how long a card is used before it is fetched again. `accept` says what of a card may be
    relied upon; addresses that the operator did not write must pass `egress`. `made` writes the cards of
    bridges.
    """

    def __init__(
        self,
        http: HttpClient,
        clock: Clock,
        *,
        cap: int,
        seconds: float,
        accept: Accept = _as_it_is,
        egress: Egress | None = None,
        made: Made = _nobodys,
    ) -> None:
        self._http = http
        self._accept = accept
        self._made = made
        self._egress = egress or Egress()
        self._clock = clock
        self._cap = cap
        self._seconds = seconds
        self._cards: dict[str, tuple[_Source, Card]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, agent: Agent) -> Card:
        """The agent's card. Raises UpstreamFault when there is none to be had."""
        card = self.known(agent)
        if card is not None and self._clock.monotonic() < card.until:
            return card
        async with self._locks.setdefault(agent.name, asyncio.Lock()):
            card = self.known(agent)
            if card is None or self._clock.monotonic() >= card.until:
                card = await self._renewed(agent, card)
                self._cards[agent.name] = _source(agent), card
        return card

    def known(self, agent: Agent) -> Card | None:
        """The card as it was last seen, however long ago; nobody is asked. That of another agent which had
        the name before is none.
        """
        source, card = self._cards.get(agent.name, (None, None))
        return card if source == _source(agent) else None

    async def endpoint(self, agent: Agent) -> Endpoint:
        """Where the agent takes requests. Raises UpstreamFault when only its card says so and cannot be
        had.
        """
        if agent.url:
            return Endpoint(agent.url, agent.tenant, agent.wire)
        return _offered(agent, (await self.of(agent)).content)

    async def _renewed(self, agent: Agent, last: Card | None) -> Card:
        now = self._clock.monotonic()
        try:
            given, body = await self._given(agent)
            content = await self._accept(agent, given)
        except UpstreamFault:
            if last is None:
                raise
            return msgspec.structs.replace(last, until=now + _AGAIN_SECONDS)
        since = last.since if last is not None and last.content == content else self._clock.now()
        return Card(content, since, now + self._seconds, self._original(body, last))

    def _original(self, body: bytes, last: Card | None) -> Original | None:
        """`last` is kept where nothing has changed, in whitespace or a signature either."""
        before = last.original if last is not None else None
        if before is not None and before.body == body:
            return before
        return Original(body, self._clock.now()) if body else None

    async def _given(self, agent: Agent) -> tuple[dict[str, Any], bytes]:
        """The card as it is now, and its bytes, none where it was made here. Raises UpstreamFault."""
        if agent.bridge is not None:
            return await self._made(agent, agent.bridge), b""
        body = await self._fetch(agent)
        return _read(body), body

    async def _fetch(self, agent: Agent) -> bytes:
        timeouts = agent.timeouts
        async with await self._http.send(
            "GET",
            agent.card_url,
            headers=[("accept", "application/json"), *agent.headers],
            connect_timeout=timeouts.connect_seconds,
            header_timeout=min(timeouts.header_seconds, _HEADER_SECONDS),
            idle_timeout=_HEADER_SECONDS,
            pinned=await self._egress.check(agent.card_url) if agent.guarded else None,
        ) as reply:
            if reply.status != 200:
                raise UpstreamRefused(
                    f"the agent answered HTTP {reply.status} when asked for its card",
                    upstream_status=reply.status,
                    retryable=False,
                )
            return await reply.read(self._cap)


def _source(agent: Agent) -> _Source:
    return agent.serves, agent.card_url, agent.bridge


def _read(body: bytes) -> dict[str, Any]:
    """Raises UpstreamBroken for what is no card, and for one that two readers could read in two ways."""
    try:
        content = msgspec.json.decode(body)
        refuse_duplicates(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamBroken("the agent's card is not JSON", cause=error) from error
    except BadRequest as error:
        raise UpstreamBroken(
            "the agent's card is ambiguous: a member stands twice in it", cause=error
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("name"), str):
        raise UpstreamBroken("what the agent serves as its card is none")
    return content


def _offered(agent: Agent, card: Mapping[str, Any]) -> Endpoint:
    """The first endpoint that a card names and that we can speak to, on the host that the card came from.

    A card must not be able to send a delegation token to any other host: the operator can, by configuring
    `url`.
    """
    for interface in _interfaces(earlier_card.raised(dict(card))):
        wire = wire_of(interface)
        if wire is None:
            continue
        url, tenant = str(interface.get("url", "")), str(interface.get("tenant") or "")
        try:
            same = origin(url) == origin(agent.card_url)
        except BadRequest:
            same = False
        if not same:
            raise UpstreamBroken(
                "the agent's card points to another host than it came from: configure its url"
            )
        return Endpoint(url, agent.tenant or tenant, wire)
    raise UpstreamBroken("the agent's card offers no interface of A2A 1.0 or 0.3 over JSON-RPC or HTTP+JSON")


def wire_of(interface: Mapping[str, Any]) -> Wire | None:
    """How an interface of a card is spoken to, where we can."""
    version = ".".join(str(interface.get("protocolVersion") or "1.0").split(".")[:2])
    return WIRE.get((str(interface.get("protocolBinding", "")), version))


def _interfaces(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = card.get("supportedInterfaces")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
