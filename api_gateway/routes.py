"""The route table: which path belongs to which gateway, service or admin page, and what policy calls it."""

import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from api_gateway.config import HttpRoute, Section
from shared.account import Flight
from shared.asgi import Exchange
from shared.errors import BadRequest, MethodNotAllowed, NotFound
from shared.identity.principal import Caller

DialectName = str
Endpoint = Callable[[Exchange, Flight, Caller], Awaitable[None]]
# What two readers of one path may read differently; none of our paths needs any of it.
_AMBIGUOUS = ("%2f", "%5c", "%00", "%2e", "\\", "//", "/./", "/../", "/.;", "/..;", "\x00")


class Upstream(Struct, frozen=True, kw_only=True):
    """An HTTP service that a route leads to. `turns` hands out its addresses one after the other."""

    audience: str
    turns: Iterator[str]
    header_timeout: float
    idle_timeout: float
    headers: tuple[tuple[bytes, bytes], ...] = ()
    strip: str = ""


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


class RouteTable:
    """Longest prefix wins. `match` raises NotFound; call it only for callers that are known."""

    def __init__(self, section: Section, pages: Pages) -> None:
        self._pages = pages
        gateways = section.gateways

        def gateway(name: str, service: str, urls: Sequence[str], dialect: DialectName) -> Route:
            upstream = Upstream(
                audience=service,
                turns=itertools.cycle([url.rstrip("/") for url in urls]),
                header_timeout=section.header_timeout_seconds,
                idle_timeout=section.idle_timeout_seconds,
            )
            return Route(
                name=name, resource=f"route:{name}", dialect=dialect, upstream=upstream, scoped=False
            )

        llm = gateway("llm", "llm_gateway", gateways.llm_gateway, "openai")
        mcp = gateway("mcp", "mcp_gateway", gateways.mcp_gateway, "mcp")
        agents = gateway("agents", "agent_gateway", gateways.agent_gateway, "a2a")
        table = {"/v1": llm, "/mcp": mcp, "/servers": mcp, "/agents": agents}
        methods: dict[str, frozenset[str]] = {}
        for route in section.routes:
            table[route.prefix.rstrip("/")] = _configured(route)
            methods[route.name] = frozenset(method.upper() for method in route.methods)
        self._table = sorted(table.items(), key=lambda item: -len(item[0]))
        self._methods = methods

    def dialect(self, path: str) -> DialectName:
        """The wire format that a caller of `path` expects an error in, known or not."""
        route = self._find(path)
        return route.dialect if route else "plain"

    def match(self, exchange: Exchange) -> Route:
        path = exchange.path
        refuse_ambiguous(exchange)
        if path.startswith("/admin/"):
            return self._pages.match(exchange.method, path)
        route = self._find(path)
        if route is None:
            raise NotFound(f"nothing is served at {path}")
        allowed = self._methods.get(route.name)
        if allowed and exchange.method not in allowed:
            raise MethodNotAllowed(f"{path} takes {', '.join(sorted(allowed))}")
        return route

    def _find(self, path: str) -> Route | None:
        for prefix, route in self._table:
            if path == prefix or path.startswith(prefix + "/"):
                return route
        return None


def refuse_ambiguous(exchange: Exchange) -> None:
    """Raises BadRequest for a path that the next reader could resolve to another one than we authorise."""
    path = exchange.path.lower()
    raw = exchange.scope.get("raw_path", b"").decode("latin-1").lower() or path
    if any(part in raw or part in path for part in _AMBIGUOUS) or path.endswith(("/.", "/..")):
        raise BadRequest("this path has dot segments, double slashes or escaped separators: send it resolved")
    if "#" in raw:
        # The next reader would see the path end there; we would have authorised all of it.
        raise BadRequest("this path has a fragment: those are not sent, and a # in a name is written %23")


def _configured(route: HttpRoute) -> Route:
    upstream = Upstream(
        audience=route.audience or route.name,
        turns=itertools.cycle([url.rstrip("/") for url in route.urls]),
        header_timeout=route.header_timeout_seconds,
        idle_timeout=route.idle_timeout_seconds,
        headers=tuple(
            (name.lower().encode(), secret.reveal().encode()) for name, secret in route.headers.items()
        ),
        strip=route.prefix.rstrip("/") if route.strip_prefix else "",
    )
    return Route(name=route.name, resource=f"route:{route.name}", upstream=upstream)
