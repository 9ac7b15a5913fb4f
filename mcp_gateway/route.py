"""From the name that a client gave to the server it belongs to, and what the server itself calls it."""

from msgspec import Struct

from mcp_gateway.ask import Ask
from mcp_gateway.catalog import Catalog
from mcp_gateway.items import labels_of, resource_of
from mcp_gateway.methods import Kind
from mcp_gateway.surfaces import MERGED, Surface
from shared.errors import NotFound, UpstreamFault

_SERVER_PATHS = "/servers/"


class Target(Struct, frozen=True, kw_only=True):
    """The item that a call is about. `resource` is what policy calls it, whether it exists or not."""

    server: str
    kind: Kind
    name: str
    resource: str
    labels: tuple[str, ...]


def surface_of(path: str) -> Surface:
    """The endpoint at `path`. Raises NotFound."""
    if path == "/mcp":
        return MERGED
    server, slash, rest = path.removeprefix(_SERVER_PATHS).partition("/")
    if path.startswith(_SERVER_PATHS) and server and slash and rest == "mcp":
        return Surface(server)
    raise NotFound(f"nothing is served at {path}")


async def route(ask: Ask, catalog: Catalog) -> Target | None:
    """What a call is about; None for what is not about one item. Raises NotFound."""
    if ask.named is None:
        return None
    kind, given = ask.named.kind, ask.named.name
    server, name = ask.surface.split(kind, given)
    if server not in catalog.servers:
        raise NotFound(f"there is no {kind} {given[:200]!r}")
    if not ask.surface.server:
        name = await _own_name(catalog, server, kind, given) or name
    return Target(
        server=server,
        kind=kind,
        name=name,
        resource=resource_of(kind, server, name),
        labels=labels_of(catalog.rule(server), kind, name),
    )


async def _own_name(catalog: Catalog, server: str, kind: Kind, exposed: str) -> str | None:
    try:
        return (await catalog.listing(server)).own_name(kind, exposed)
    except UpstreamFault:
        # Whether the caller may know that this server fails is decided later, on the name as it stands.
        return None
