"""What policy says: to the use of one item, and to the sight of a list or a server."""

from collections.abc import Mapping
from typing import Any

from mcp_gateway.ask import Ask
from mcp_gateway.catalog import Catalog
from mcp_gateway.catalogs import Catalogs
from mcp_gateway.explicit import explicitly_allowed, explicitly_possible
from mcp_gateway.items import DESTRUCTIVE, Item, Listing, resource_of
from mcp_gateway.methods import ACTIONS, KINDS, Kind
from mcp_gateway.remembered import Remembered
from mcp_gateway.route import Target
from mcp_gateway.sight import Sight
from mcp_gateway.skills.shelf import split
from mcp_gateway.surfaces import Surface
from mcp_gateway.transports import SKILLS
from shared.account import Flight
from shared.agent_list import PREFIX, AgentList
from shared.errors import Forbidden, NotFound, UpstreamFault
from shared.identity.principal import Caller
from shared.limits.limiter import Limiter
from shared.policy import Decision, Grant, Policy, PolicyBox, authorize

_LIST = "list"
_LISTED = "lists show what policy allows, and nothing else"


class Authorize:
    """With `explicit`, a tool that destroys needs a rule that means it, not one about everything."""

    def __init__(
        self,
        policy: PolicyBox,
        limiter: Limiter,
        catalog: Catalog,
        catalogs: Catalogs,
        *,
        agents: AgentList,
        explicit: bool = False,
    ) -> None:
        self._policy = policy
        self._limiter = limiter
        self._catalog = catalog
        self._catalogs = catalogs
        self._agents = agents
        self._explicit = explicit
        self._remembered = Remembered()

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
            self._check_destructive(policy, caller, target, facts)
            _record_target(flight, target)
        else:
            resource = _listed(ask)
            _record(flight, resource, _LIST if ask.method.does == "list" else ask.method.name)
            await self._see(policy, caller, ask.surface, facts)
            grant = Grant(caller, resource, _LIST, Decision(True, "", policy.epoch, caller.actor, _LISTED))
        flight.granted(grant)
        flight.check()
        return grant

    async def visible(
        self, listings: Mapping[str, Listing], kind: Kind, caller: Caller, surface: Surface
    ) -> dict[str, list[Item]]:
        """The items of servers that are at an endpoint and that the caller could use with some arguments."""
        policy = self._policy.current
        shown = self._remembered.get(policy, listings, kind, caller, surface)
        if shown is not None:
            return shown
        facts = await self._facts(policy, caller)
        there = {server: self._at(surface, server, listing, kind) for server, listing in listings.items()}
        shown = {
            server: [item for item in items if self._possible(policy, caller, item, facts)]
            for server, items in there.items()
        }
        if all(self._certain(policy, caller, item) for items in there.values() for item in items):
            self._remembered.keep(policy, listings, kind, caller, surface, shown)
        return shown

    async def reads(self, server: str, uri: str, caller: Caller) -> bool:
        """Whether the caller may read a resource, whether there is one or not."""
        policy = self._policy.current
        facts = await self._facts(policy, caller) | {"labels": self._catalog.labels(server, "resource", uri)}
        return policy.possible(caller, resource_of("resource", server, uri), ACTIONS["resource"], facts)

    async def sight(self, caller: Caller) -> Sight:
        """What the caller may know of, as policy and the chain stand now."""
        policy = self._policy.current
        return Sight(policy, caller, await self._facts(policy, caller))

    async def sees(self, server: str, caller: Caller, surface: Surface) -> bool:
        """Whether the caller could use anything at all of this server at an endpoint."""
        policy = self._policy.current
        facts = await self._facts(policy, caller)
        if surface.catalog:
            return await self._sees_one(policy, caller, server, facts, surface)
        return await self._sees(policy, caller, server, facts)

    def _check_destructive(
        self, policy: Policy, caller: Caller, target: Target, facts: dict[str, Any]
    ) -> None:
        if not self._explicit or DESTRUCTIVE not in target.labels:
            return
        if not explicitly_allowed(policy, caller, target.resource, ACTIONS[target.kind], facts):
            raise Forbidden(
                f"{target.resource[:200]} is destructive, and no rule allows it by name",
                cause="destructive: explicit",
            )

    def _at(self, surface: Surface, server: str, listing: Listing, kind: Kind) -> list[Item]:
        items = list(listing.items[kind].values())
        if not surface.catalog:
            return items
        holds = self._catalogs.holds
        return [item for item in items if holds(surface.catalog, kind, server, item.name, item.labels)]

    def _possible(self, policy: Policy, caller: Caller, item: Item, facts: dict[str, Any]) -> bool:
        if item.resource.startswith(PREFIX):
            agent = self._agents.find(item.name)
            if agent is None or not agent.visible(policy, caller):
                return False
        action, facts = ACTIONS[item.kind], facts | {"labels": item.labels}
        if not policy.possible(caller, item.resource, action, facts):
            return False
        needed = self._explicit and item.destructive
        return not needed or explicitly_possible(policy, caller, item.resource, action)

    def _certain(self, policy: Policy, caller: Caller, item: Item) -> bool:
        """Whether nothing but rules without conditions says who may use an item."""
        ours = item.resource.startswith(PREFIX)
        return not ours and policy.certain(caller, item.resource, ACTIONS[item.kind])

    async def _see(self, policy: Policy, caller: Caller, surface: Surface, facts: dict[str, Any]) -> None:
        """A server or catalog of which nothing may be used does not exist for this caller. Raises
        NotFound.
        """
        if surface.server:
            known = surface.server in self._catalog.servers
            if known and await self._sees(policy, caller, surface.server, facts):
                return
        elif not surface.catalog or await self._sees_catalog(policy, caller, surface, facts):
            return
        raise NotFound(f"nothing is served at {surface.place}/mcp")

    async def _sees_catalog(
        self, policy: Policy, caller: Caller, surface: Surface, facts: dict[str, Any]
    ) -> bool:
        if self._catalogs.rule(surface.catalog) is None:
            return False
        for server in self._catalogs.servers(surface.catalog):
            if await self._sees_one(policy, caller, server, facts, surface):
                return True
        return False

    async def _sees(self, policy: Policy, caller: Caller, server: str, facts: dict[str, Any]) -> bool:
        # Rules about everything of this server tell so without asking it.
        everything = ((f"{kind}:{server}/", ACTIONS[kind]) for kind in KINDS if kind != "template")
        if any(policy.possible(caller, resource, action, facts) for resource, action in everything):
            return True
        return await self._sees_one(policy, caller, server, facts, Surface(server))

    async def _sees_one(
        self, policy: Policy, caller: Caller, server: str, facts: dict[str, Any], surface: Surface
    ) -> bool:
        try:
            listing = await self._catalog.listing(server)
        except UpstreamFault:
            return False
        items = (item for kind in KINDS for item in self._at(surface, server, listing, kind))
        return any(self._possible(policy, caller, item, facts) for item in items)

    async def _facts(self, policy: Policy, caller: Caller) -> dict[str, Any]:
        """What the chain has met so far, where any rule wants to know it."""
        if "taint" not in policy.needs:
            return {}
        state = await self._limiter.state(caller.principal.tenant, caller.chain)
        return {"taint": state.taint}


def _listed(ask: Ask) -> str:
    """What the entry of a list says it was about."""
    if ask.surface.catalog:
        return f"catalog:{ask.surface.catalog}"
    return f"{ask.method.kind}:{ask.surface.server}/*" if ask.surface.server else f"{ask.method.kind}:*"


def _record(flight: Flight, resource: str, action: str) -> None:
    flight.entry.resource, flight.entry.action = resource, action


def _record_target(flight: Flight, target: Target) -> None:
    """What the kill list can be about, and what this call teaches the chain."""
    flight.entry.server = target.server
    if target.kind == "tool":
        flight.entry.tool = f"{target.server}/{target.name}"
    elif target.server == SKILLS:
        # In whatever version, as a resource or as a prompt.
        flight.entry.skill, _ = split(target.name)
    flight.taint = target.taint
