"""One route of the configuration: an HTTP service behind the edge, and what happens on the way to it."""

import re
from collections.abc import Collection, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from api_gateway import body_change, header_change, idempotency_keys, path_templates, response_cache
from api_gateway.addresses import AddressRule
from api_gateway.addresses import problems as address_problems
from api_gateway.balance.settings import Balance, Concurrency, Seconds, priority_problems
from api_gateway.body_change import BodyRule
from api_gateway.contract.rule import OpenApi
from api_gateway.cors import CorsRule
from api_gateway.cors import problems as cors_problems
from api_gateway.gateways import ROUTES
from api_gateway.header_change import HeaderRule
from api_gateway.idempotency_keys import Idempotency
from api_gateway.path_templates import PathRule
from api_gateway.response_cache import Cache
from api_gateway.service_urls import url_problems, weight_problems
from api_gateway.websocket import WebSocketRule
from shared.config import Secret
from shared.dialects.model_paths import PREFIXES
from shared.tls_trust import Trust

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
# Names and paths that the gateways themselves stand under.
_BUILT_IN = (*ROUTES, "admin", "oauth")
_BUILT_IN_PREFIXES = (
    *PREFIXES,
    "/mcp",
    "/servers",
    "/catalogs",
    "/agents",
    "/registry",
    "/oauth",
    "/admin",
    "/healthz",
    "/readyz",
    "/metrics",
    "/.well-known",
)


class Canary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another version of a route's service: for `percent` of the callers, and for whoever sends all of
    `match_headers`.
    """

    name: str
    urls: Annotated[list[str], Meta(min_length=1)]
    percent: Annotated[float, Meta(ge=0, le=100)] = 0.0
    match_headers: dict[str, str] = {}


class HttpRoute(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Any HTTP service behind the edge. Policy speaks of it as `route:<name>`; it gets an identity token for
    `audience`.

    `headers` are the credentials of the service itself and replace what the caller sent under those names.
    `hosts` (`*.example.com` is any below) and `match_headers` (`*` is any value) narrow the route; of several
    with one prefix the narrowest that fits is taken. An address that starts with `dns:` stands for all that
    its name resolves to.
    """

    name: str
    prefix: str
    urls: Annotated[list[str], Meta(min_length=1)]
    strip_prefix: bool = False
    hosts: list[str] = []
    methods: list[str] = []
    match_headers: dict[str, str] = {}
    audience: str = ""
    headers: dict[str, Secret] = {}
    tls: Trust | None = None
    canaries: list[Canary] = []
    sticky: bool = True
    balance: Balance = Balance()
    concurrency: Concurrency | None = None
    rewrite: list[PathRule] = []
    request_headers: HeaderRule | None = None
    reply_headers: HeaderRule | None = None
    request_body: BodyRule | None = None
    reply_body: BodyRule | None = None
    openapi: OpenApi | None = None
    idempotency: Idempotency | None = None
    cache: Cache | None = None
    websocket: WebSocketRule | None = None
    cors: CorsRule | None = None
    addresses: AddressRule | None = None
    connect_timeout_seconds: Seconds = 5.0
    header_timeout_seconds: Seconds = 60.0
    idle_timeout_seconds: Seconds = 300.0


def problems(path: str, routes: Sequence[HttpRoute]) -> list[str]:
    """What is wrong with them, as `path[n]: problem`."""
    found: list[str] = []
    names: set[str] = set()
    places: dict[object, int] = {}
    for place, route in enumerate(routes):
        here = f"{path}[{place}]"
        found += [*_name(here, route, names), *_request(here, route), *_service(here, route)]
        found += _stages(here, route)
        names.add(route.name)
        first = places.setdefault(_reach(route), place)
        if first != place:
            found.append(f"{here}: matches the same requests as {path}[{first}]")
    return found


def _name(path: str, route: HttpRoute, taken: Collection[str]) -> list[str]:
    found = []
    if not _NAME.fullmatch(route.name):
        found.append(f"{path}.name: {route.name!r} must be lower-case letters, digits, - and _")
    if route.name in _BUILT_IN or route.name in taken:
        found.append(f"{path}.name: {route.name!r} is taken")
    return found


def _request(path: str, route: HttpRoute) -> list[str]:
    """Which requests it is for, and from whom."""
    found = []
    if not route.prefix.startswith("/") or route.prefix == "/":
        found.append(f"{path}.prefix: {route.prefix!r} must start with / and name something")
    elif any(_overlap(route.prefix, taken) for taken in _BUILT_IN_PREFIXES):
        found.append(f"{path}.prefix: {route.prefix!r} overlaps a path of the gateways themselves")
    found += [
        f"{path}.hosts[{n}]: {host!r} is no host name (no port, no address)"
        for n, host in enumerate(route.hosts)
        if not _HOST.fullmatch(host)
    ]
    found += cors_problems(f"{path}.cors", route.cors)
    return found + address_problems(f"{path}.addresses", route.addresses)


def _service(path: str, route: HttpRoute) -> list[str]:
    """The addresses of the service and of its other versions, and what each of them is sent."""
    found, every = url_problems(f"{path}.urls", route.urls), list(route.urls)
    for number, canary in enumerate(route.canaries):
        found += url_problems(f"{path}.canaries[{number}].urls", canary.urls)
        every += canary.urls
    if sum(canary.percent for canary in route.canaries) > 100:
        found.append(f"{path}.canaries: together they take more than 100 percent")
    found += header_change.sent_problems(f"{path}.headers", route.headers)
    return found + weight_problems(f"{path}.balance", route.balance.weights, every)


def _stages(path: str, route: HttpRoute) -> list[str]:
    found = path_templates.problems(f"{path}.rewrite", route.rewrite)
    if route.rewrite and route.strip_prefix:
        found.append(f"{path}.rewrite: says whole paths: strip_prefix has no place beside it")
    found += header_change.problems(f"{path}.request_headers", route.request_headers)
    found += header_change.problems(f"{path}.reply_headers", route.reply_headers)
    found += body_change.problems(f"{path}.request_body", route.request_body)
    found += body_change.problems(f"{path}.reply_body", route.reply_body)
    found += idempotency_keys.problems(f"{path}.idempotency", route.idempotency)
    found += response_cache.problems(f"{path}.cache", route.cache, route.canaries)
    if route.concurrency is not None:
        found += priority_problems(f"{path}.concurrency.priorities", route.concurrency.priorities)
    return found


def _reach(route: HttpRoute) -> object:
    """What requests the route is for: equal where two routes could not be told apart."""
    headers = frozenset((name.lower(), value) for name, value in route.match_headers.items())
    hosts = frozenset(host.lower() for host in route.hosts)
    return route.prefix.rstrip("/"), hosts, headers, frozenset(method.upper() for method in route.methods)


def _overlap(prefix: str, taken: str) -> bool:
    return prefix == taken or prefix.startswith(taken + "/") or taken.startswith(prefix.rstrip("/") + "/")
