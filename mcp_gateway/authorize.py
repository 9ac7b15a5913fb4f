"""What policy says: to the use of one item, and to the sight of a list or a server."""

from typing import Any

from mcp_gateway.ask import Ask
from mcp_gateway.catalog import Catalog
from mcp_gateway.items import Item, Listing
from mcp_gateway.methods import ACTIONS, KINDS, Kind
from mcp_gateway.route import Target
from mcp_gateway.surfaces import Surface
from shared.account import Flight
from shared.errors import NotFound, UpstreamFault
from shared.identity.principal import Caller
from shared.limits.limiter import Limiter
from shared.policy import Decision, Grant, Policy, PolicyBox, authorize

_LIST = "list"
_LISTED = "lists show what policy allows, and nothing else"


class Authorize:
    def __init__(self, policy: PolicyBox, limiter: Limiter, catalog: Catalog) -> None:
        self._policy = policy
        self._limiter = limiter
        self._catalog = catalog

    async def __call__(self, ask: Ask, target: Target | None, caller: Caller, flight: Flight) -> Grant:
        """The grant for what is asked. Raises Forbidden, and NotFound for a server of which the caller may
        see nothing.
        """
        policy = self._policy.current
        facts = await self._facts(policy, caller)
        if target is not None:
            facts |= {"args": ask.named.arguments if ask.named else {}, "labels": target.labels}
            _record(flight, target.resource, ACTIONS[target.kind])
            grant = authorize(policy, caller, target.resource, ACTIONS[target.kind], facts)
            _record_target(flight, target)
        else:
            resource = (
                f"{ask.method.kind}:{ask.surface.server}/*" if ask.surface.server else f"{ask.method.kind}:*"
            )
            _record(flight, resource, _LIST if ask.method.does == "list" else ask.method.name)
            await self._see(policy, caller, ask.surface, facts)
            grant = Grant(caller, resource, _LIST, Decision(True, "", policy.epoch, caller.actor, _LISTED))
        flight.granted(grant)
        flight.check()
        return grant

    async def visible(self, listing: Listing, kind: Kind, caller: Caller) -> list[Item]:
        """The items of a server that the caller could use with some arguments."""
        policy = self._policy.current
        facts = await self._facts(policy, caller)
        return [item for item in listing.items[kind].values() if _possible(policy, caller, item, facts)]

    async def sees(self, server: str, caller: Caller) -> bool:
        """Whether the caller could use anything at all of this server."""
        policy = self._policy.current
        return await self._sees(policy, caller, server, await self._facts(policy, caller))

    async def _see(self, policy: Policy, caller: Caller, surface: Surface, facts: dict[str, Any]) -> None:
        """A server of which nothing may be used does not exist for this caller. Raises NotFound."""
        if not surface.server:
            return
        known = surface.server in self._catalog.servers
        if not known or not await self._sees(policy, caller, surface.server, facts):
            raise NotFound(f"nothing is served at /servers/{surface.server}/mcp")

    async def _sees(self, policy: Policy, caller: Caller, server: str, facts: dict[str, Any]) -> bool:
        # Rules about everything of this server tell so without asking it.
        everything = ((f"{kind}:{server}/", ACTIONS[kind]) for kind in KINDS if kind != "template")
        if any(policy.possible(caller, resource, action, facts) for resource, action in everything):
            return True
        return await self._sees_one(policy, caller, server, facts)

    async def _sees_one(self, policy: Policy, caller: Caller, server: str, facts: dict[str, Any]) -> bool:
        try:
            listing = await self._catalog.listing(server)
        except UpstreamFault:
            return False
        items = (item for kind in KINDS for item in listing.items[kind].values())
        return any(_possible(policy, caller, item, facts) for item in items)

    async def _facts(self, policy: Policy, caller: Caller) -> dict[str, Any]:
        """What the chain has met so far, where any rule wants to know it."""
        if "taint" not in policy.needs:
            return {}
        state = await self._limiter.state(caller.principal.tenant, caller.chain)
        return {"taint": state.taint}


def _possible(policy: Policy, caller: Caller, item: Item, facts: dict[str, Any]) -> bool:
    return policy.possible(caller, item.resource, ACTIONS[item.kind], facts | {"labels": item.labels})


def _record(flight: Flight, resource: str, action: str) -> None:
    flight.entry.resource, flight.entry.action = resource, action


def _record_target(flight: Flight, target: Target) -> None:
    """What the kill list can be about, and what this call teaches the chain."""
    flight.entry.server = target.server
    if target.kind == "tool":
        flight.entry.tool = f"{target.server}/{target.name}"
    flight.taint = target.labels
