"""From the name that a client gave to the server it belongs to, and what the server itself calls it."""

from msgspec import Struct

from mcp_gateway.ask import Ask
from mcp_gateway.catalog import Catalog
from mcp_gateway.catalogs import Catalogs
from mcp_gateway.items import Listing, labels_of, resource_of
from mcp_gateway.methods import Kind
from shared.errors import NotFound, UpstreamFault


class Target(Struct, frozen=True, kw_only=True):
    """The item that a call is about. `resource` is what policy calls it, whether it exists or not. `labels`
    are facts for policy; `taint` are those of them that stay with the chain.
    """

    server: str
    kind: Kind
    name: str
    resource: str
    labels: tuple[str, ...]
    taint: tuple[str, ...] = ()


class Route:
    def __init__(self, catalog: Catalog, catalogs: Catalogs) -> None:
        self._catalog = catalog
        self._catalogs = catalogs

    async def __call__(self, ask: Ask) -> Target | None:
        """What a call is about; None for what is not about one item. Raises NotFound."""
        if ask.named is None:
            return None
        kind, given = ask.named.kind, ask.named.name
        renamed = self._catalogs.own(ask.surface.catalog, given) if kind == "tool" else None
        server, name = renamed or ask.surface.split(kind, given)
        if server not in self._catalog.servers:
            raise _unknown(kind, given)
        listing = await self._listing(server)
        if listing is not None and not ask.surface.server and renamed is None:
            name = listing.own_name(kind, given) or name
        target = self._target(server, kind, name, listing)
        if ask.surface.catalog:
            self._check(ask, target, edited=renamed is not None)
        return target

    def _target(self, server: str, kind: Kind, name: str, listing: Listing | None) -> Target:
        item = listing.get(kind, name) if listing is not None else None
        taint = labels_of(self._catalog.rule(server), kind, name)
        return Target(
            server=server,
            kind=kind,
            name=name,
            resource=resource_of(kind, server, name),
            labels=item.labels if item is not None else self._catalog.labels(server, kind, name),
            taint=taint,
        )

    def _check(self, ask: Ask, target: Target, *, edited: bool) -> None:
        """What is not in a catalog does not exist there, and what has another name there has only that."""
        catalog, kind = ask.surface.catalog, target.kind
        given = ask.named.name if ask.named is not None else ""
        if not self._catalogs.holds(catalog, kind, target.server, target.name, target.labels):
            raise _unknown(kind, given)
        rule = self._catalogs.rule(catalog)
        edit = (
            rule.tools.get(f"{target.server}/{target.name}") if rule is not None and kind == "tool" else None
        )
        if not edited and edit is not None and edit.name:
            raise _unknown(kind, given)

    async def _listing(self, server: str) -> Listing | None:
        try:
            return await self._catalog.listing(server)
        except UpstreamFault:
            # Whether the caller may know that this server fails is decided later, on the name as it stands.
            return None


def _unknown(kind: Kind, given: str) -> NotFound:
    return NotFound(f"there is no {kind} {given[:200]!r}")
