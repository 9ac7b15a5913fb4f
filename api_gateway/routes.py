"""The route table: which path belongs to which gateway, service or admin page, and what policy calls it."""

import re
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from msgspec import Struct

from api_gateway.balance.split import sends
from api_gateway.balance.upstream import Upstream, Upstreams
from api_gateway.config import Section
from api_gateway.http_route import HttpRoute
from api_gateway.written_path import written_path
from shared.account import Flight
from shared.asgi import Exchange
from shared.clock import Clock
from shared.dialects.model_paths import PREFIXES, spoken_at
from shared.errors import BadRequest, MethodNotAllowed, NotFound
from shared.identity.principal import Caller
from shared.policy import PolicyBox

DialectName = str
Endpoint = Callable[[Exchange, Flight, Caller], Awaitable[None]]
# Where the registry's own API publishes servers, and the admin page that does it.
PUBLISH_PATH = "/registry/v0.1/publish"
_PUBLISH_PAGE = "/admin/api/catalog/servers"
# The registry's names have a slash, which clients escape. All of it is one resource, read either way.
_NAMES_BELOW = ("/registry/v0.1/servers/", "/admin/api/objects/server/")
_PRINTED = re.compile(r"[!-~]*")
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
# What two readers of one path may read differently; none of our paths needs any of it.
_ESCAPED_SLASH = "%2f"
_AMBIGUOUS = (_ESCAPED_SLASH, "%5c", "%00", "%2e", "\\", "//", "/./", "/../", "/.;", "/..;", "\x00")


class Route(Struct, frozen=True, kw_only=True):
    """`resource` and `action` are what policy is asked; exactly one of `upstream` and `endpoint` is set.

    `scoped` is False where the resource that a credential's scope speaks of is only known behind the route.
    """

    name: str
    resource: str
    action: str = "invoke"
    dialect: DialectName = "plain"
    upstream: Upstream | None = None
    endpoint: Endpoint | None = None
    scoped: bool = True


class Pages(Protocol):
    """The admin API, as the route table sees it. Raises NotFound, MethodNotAllowed."""

    def match(self, method: str, path: str) -> Route: ...


class Match(Struct, frozen=True, kw_only=True):
    """What a configured route asks of a request besides its path; empty asks nothing."""

    route: Route
    hosts: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    methods: frozenset[str] = frozenset()

    @property
    def breadth(self) -> tuple[bool, int, bool]:
        """The narrowest sorts first."""
        return not self.hosts, -len(self.headers), not self.methods

    def fits(self, exchange: Exchange) -> bool:
        """Whether host and headers do; the method is asked for apart from them."""
        if self.hosts and not _at(exchange, self.hosts):
            return False
        return not self.headers or sends(exchange, self.headers)


class RouteTable:
    """Longest prefix wins, then the narrowest match. `match` raises NotFound; call it only for callers that
    are known.
    """

    def __init__(
        self, section: Section, pages: Pages, clock: Clock | None = None, policy: PolicyBox | None = None
    ) -> None:
        self._pages = pages
        self.upstreams = Upstreams(clock or Clock(), policy)

        def gateway(name: str, service: str, dialect: DialectName) -> tuple[Match, ...]:
            upstream = self.upstreams.gateway(service, section)
            route = Route(
                name=name, resource=f"route:{name}", dialect=dialect, upstream=upstream, scoped=False
            )
            return (Match(route=route),)

        llm = gateway("llm", "llm_gateway", "openai")
        mcp = gateway("mcp", "mcp_gateway", "mcp")
        agents = gateway("agents", "agent_gateway", "a2a")
        self.mcp, self.agents = mcp[0].route, agents[0].route
        plain = (Match(route=msgspec.structs.replace(self.mcp, dialect="plain")),)
        table = dict.fromkeys(PREFIXES, llm) | {
            "/mcp": mcp,
            "/servers": mcp,
            "/catalogs": mcp,
            "/oauth/grants": plain,
            "/registry": plain,
            "/agents": agents,
        }
        for route in section.routes:
            prefix = route.prefix.rstrip("/")
            table[prefix] = (*table.get(prefix, ()), _configured(route, self.upstreams))
        self._table = [
            (prefix, f"{prefix}/", tuple(sorted(matches, key=lambda match: match.breadth)))
            for prefix, matches in sorted(table.items(), key=lambda item: -len(item[0]))
        ]

    def dialect(self, path: str) -> DialectName:
        """The wire format that a caller of `path` expects an error in, known or not."""
        for prefix, below, matches in self._table:
            if path == prefix or path.startswith(below):
                dialect = matches[0].route.dialect
                return spoken_at(path) if dialect == "openai" else dialect
        return "plain"

    def match(self, exchange: Exchange) -> Route:
        path = exchange.path
        refuse_ambiguous(exchange)
        if not _METHOD.fullmatch(exchange.method):
            # HTTP/2 and HTTP/3 carry it, and no service could be asked: that is not the service's failure.
            raise BadRequest("this method is no word that HTTP could carry")
        if path.startswith("/admin/"):
            return self._pages.match(exchange.method, path)
        if path == PUBLISH_PATH:
            return self._pages.match(exchange.method, _PUBLISH_PAGE)
        for prefix, below, matches in self._table:
            if path == prefix or path.startswith(below):
                route = _narrowest(exchange, matches)
                if route is not None:
                    return route
        raise NotFound(f"nothing is served at {path}")


def _narrowest(exchange: Exchange, matches: tuple[Match, ...]) -> Route | None:
    """Raises MethodNotAllowed where only the method keeps a request from all that it would fit."""
    allowed: set[str] = set()
    for match in matches:
        if match.fits(exchange):
            if not match.methods or exchange.method in match.methods:
                return match.route
            allowed |= match.methods
    if allowed:
        raise MethodNotAllowed(f"{exchange.path} takes {', '.join(sorted(allowed))}")
    return None


def _at(exchange: Exchange, hosts: tuple[str, ...]) -> bool:
    """Is the request for one of these hosts? `*.example.com` is any below example.com."""
    named = re.sub(r":\d*$", "", exchange.header("host") or "").rstrip(".").lower()
    return any(named == host or (host[0] == "*" and named.endswith(host[1:])) for host in hosts)


def refuse_ambiguous(exchange: Exchange) -> None:
    """Raises BadRequest for a path that the next reader could resolve to another one than we authorise."""
    path = exchange.path.lower()
    raw = written_path(exchange).lower()
    if raw.startswith(_NAMES_BELOW):
        raw = raw.replace(_ESCAPED_SLASH, "/")
    if not _PRINTED.fullmatch(raw + exchange.query):
        # HTTP/2 and HTTP/3 carry what would end the first line of HTTP/1.1.
        raise BadRequest("this address has spaces or other bytes that must be escaped")
    if any(part in raw or part in path for part in _AMBIGUOUS) or path.endswith(("/.", "/..")):
        raise BadRequest("this path has dot segments, double slashes or escaped separators: send it resolved")
    if "#" in raw:
        # The next reader would see the path end there; we would have authorised all of it.
        raise BadRequest("this path has a fragment: those are not sent, and a # in a name is written %23")


def _configured(route: HttpRoute, upstreams: Upstreams) -> Match:
    return Match(
        route=Route(name=route.name, resource=f"route:{route.name}", upstream=upstreams.configured(route)),
        hosts=tuple(host.lower() for host in route.hosts),
        headers=tuple((name.lower(), value) for name, value in route.match_headers.items()),
        methods=frozenset(method.upper() for method in route.methods),
    )
