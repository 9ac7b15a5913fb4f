"""Which endpoint a request came to, and whether its caller wants all of it or the means to search it."""

from urllib.parse import parse_qs

from mcp_gateway.catalogs import Catalogs
from mcp_gateway.surfaces import Surface
from shared.asgi import Exchange
from shared.errors import BadRequest, NotFound
from shared.identity.principal import Caller

_SERVER_PATHS, _CATALOG_PATHS = "/servers/", "/catalogs/"
_PARAMETER, _SEARCH, _FULL = "surface", "search", "full"


class Endpoint:
    """`teams` get the small surface unless they ask for the full one."""

    def __init__(self, catalogs: Catalogs, teams: frozenset[str]) -> None:
        self._catalogs = catalogs
        self._teams = teams

    def __call__(self, exchange: Exchange, caller: Caller) -> Surface:
        """Raises NotFound for a path that is none, BadRequest for a surface that is none."""
        surface = surface_of(exchange.path)
        wanted = _wanted(exchange.query)
        if wanted is None:
            rule = self._catalogs.rule(surface.catalog) if surface.catalog else None
            by_team = not surface.server and caller.principal.team in self._teams
            wanted = by_team or (rule is not None and rule.search)
        return Surface(surface.server, surface.catalog, wanted)


def surface_of(path: str) -> Surface:
    """The endpoint at `path`. Raises NotFound."""
    if path == "/mcp":
        return Surface()
    for prefix in (_SERVER_PATHS, _CATALOG_PATHS):
        name, slash, rest = path.removeprefix(prefix).partition("/")
        if path.startswith(prefix) and name and slash and rest == "mcp":
            return Surface(server=name) if prefix == _SERVER_PATHS else Surface(catalog=name)
    raise NotFound(f"nothing is served at {path}")


def _wanted(query: str) -> bool | None:
    """Whether the small surface is asked for; None where nothing is said."""
    if _PARAMETER not in query:
        return None
    given = parse_qs(query, keep_blank_values=True).get(_PARAMETER)
    if given is None:
        return None
    if given not in ([_SEARCH], [_FULL]):
        raise BadRequest(f"{_PARAMETER} must be {_SEARCH} or {_FULL}")
    return given == [_SEARCH]
