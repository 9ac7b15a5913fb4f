"""The edge's own section of `gatestack.yaml`."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from api_gateway import body_change, header_change, path_templates, response_cache
from api_gateway.addresses import AddressRule
from api_gateway.addresses import problems as address_problems
from api_gateway.balance.settings import Balance, Concurrency, named, priority_problems
from api_gateway.body_change import BodyRule
from api_gateway.contract.rule import OpenApi
from api_gateway.cors import CorsRule
from api_gateway.cors import problems as cors_problems
from api_gateway.header_change import HeaderRule
from api_gateway.idempotency_keys import Idempotency
from api_gateway.maintenance import Maintenance
from api_gateway.maintenance import problems as maintenance_problems
from api_gateway.path_templates import PathRule
from api_gateway.regions.settings import Region
from api_gateway.response_cache import Cache
from api_gateway.websocket import WebSocketRule
from shared.authenticators.client_certificate import KnownClient
from shared.authenticators.client_certificate import problems as client_problems
from shared.client_address import problems as proxy_problems
from shared.config import Secret
from shared.dialects.model_paths import PREFIXES
from shared.limits.rule import LimitRule
from shared.server import Clients, ServerName
from shared.tls import Tls
from shared.tls_trust import Trust

Seconds = Annotated[float, Meta(gt=0)]
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
SERVICES = ("llm_gateway", "mcp_gateway", "agent_gateway")
# Route names that the gateways themselves stand under.
BUILT_IN = ("llm", "mcp", "agents", "admin", "oauth")
BUILT_IN_PREFIXES = (
    *PREFIXES,
    "/mcp",
    "/servers",
    "/catalogs",
    "/agents",
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


class Gateways(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the three inner gateways are; the rest is the same for each of them."""

    llm_gateway: list[str] = field(default_factory=lambda: ["http://127.0.0.1:8081"])
    mcp_gateway: list[str] = field(default_factory=lambda: ["http://127.0.0.1:8082"])
    agent_gateway: list[str] = field(default_factory=lambda: ["http://127.0.0.1:8083"])
    tls: Trust | None = None
    balance: Balance = Balance()
    concurrency: Concurrency | None = None
    cors: CorsRule | None = None
    addresses: AddressRule | None = None


class OAuth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /oauth/token`: by exchange one chain can be kept going for `longest_seconds`, never longer. With
    `public_url`, the edge's address as clients see it, MCP clients without a credential are told where they
    can read which authorization server they need.
    """

    public_url: str = ""
    longest_seconds: Annotated[int, Meta(ge=60, le=2_592_000)] = 86_400


class PushSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is taken of agents' notifications: so many a minute from one address, each of so many bytes."""

    per_minute: Annotated[int, Meta(ge=1)] = 600
    max_bytes: Annotated[int, Meta(ge=1)] = 1_048_576


class Registry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cards of agents to be registered, and lists of other registries, are fetched from public addresses, and
    from `allow` (host names and networks).
    """

    allow: list[str] = []


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    bind: str = "127.0.0.1:8080"
    server: ServerName = "hypercorn"
    tls: Tls | None = None
    client_certificates: list[KnownClient] = []
    proxies: list[str] = []
    clients: Clients = Clients()
    addresses: AddressRule | None = None
    maintenance: Maintenance = Maintenance()
    access_log: bool = False
    gateways: Gateways = Gateways()
    routes: list[HttpRoute] = []
    limits: list[LimitRule] = []
    max_body_bytes: Annotated[int, Meta(ge=1)] = 33_554_432
    header_timeout_seconds: Seconds = 3600.0
    idle_timeout_seconds: Seconds = 600.0
    oauth: OAuth = OAuth()
    registry: Registry = Registry()
    push: PushSection = PushSection()
    region: Region = field(default_factory=Region)
    operator: str = "user:operator"
    operator_tenant: str = "system"


def problems(section: Section) -> list[str]:
    """What the types alone cannot see, as `path: problem`."""
    found: list[str] = []
    seen: set[str] = set()
    places: dict[object, int] = {}
    for place, route in enumerate(section.routes):
        path = f"routes[{place}]"
        found += _route(path, route, seen)
        seen.add(route.name)
        first = places.setdefault(_reach(route), place)
        if first != place:
            found.append(f"{path}: matches the same requests as routes[{first}]")
    for service in SERVICES:
        urls = getattr(section.gateways, service)
        if not urls:
            found.append(f"gateways.{service}: needs at least one address")
        found += _addresses(f"gateways.{service}", urls)
    every = [url for service in SERVICES for url in getattr(section.gateways, service)]
    found += _weights("gateways.balance", section.gateways.balance, every)
    if section.gateways.concurrency is not None:
        found += priority_problems("gateways.concurrency.priorities", section.gateways.concurrency.priorities)
    public = section.oauth.public_url
    if public and (not _http(public) or urlsplit(public).path):
        found.append(f"oauth.public_url: {public!r} is no http(s) address without a path")
    found += _certificates(section)
    found += proxy_problems("proxies", section.proxies)
    found += address_problems("addresses", section.addresses)
    found += address_problems("gateways.addresses", section.gateways.addresses)
    found += cors_problems("gateways.cors", section.gateways.cors)
    found += maintenance_problems("maintenance", section.maintenance, seen)
    if not section.bind.rpartition(":")[2].isdigit():
        found.append(f"bind: {section.bind!r} is not host:port")
    return found


def _certificates(section: Section) -> list[str]:
    found = client_problems("client_certificates", section.client_certificates)
    if section.client_certificates and (section.tls is None or not section.tls.client_ca):
        found.append("client_certificates: needs tls.client_ca: only our own TLS can verify them")
    if section.client_certificates and section.server == "granian":
        found.append("client_certificates: granian does not tell of them: use hypercorn")
    return found


def _route(path: str, route: HttpRoute, seen: set[str]) -> list[str]:
    found: list[str] = []
    if not _NAME.fullmatch(route.name):
        found.append(f"{path}.name: {route.name!r} must be lower-case letters, digits, - and _")
    if route.name in BUILT_IN or route.name in seen:
        found.append(f"{path}.name: {route.name!r} is taken")
    if not route.prefix.startswith("/") or route.prefix == "/":
        found.append(f"{path}.prefix: {route.prefix!r} must start with / and name something")
    elif any(_overlap(route.prefix, taken) for taken in BUILT_IN_PREFIXES):
        found.append(f"{path}.prefix: {route.prefix!r} overlaps a path of the gateways themselves")
    found += cors_problems(f"{path}.cors", route.cors)
    found += address_problems(f"{path}.addresses", route.addresses)
    found += _addresses(f"{path}.urls", route.urls)
    every = list(route.urls)
    for number, canary in enumerate(route.canaries):
        found += _addresses(f"{path}.canaries[{number}].urls", canary.urls)
        every += canary.urls
    if sum(canary.percent for canary in route.canaries) > 100:
        found.append(f"{path}.canaries: together they take more than 100 percent")
    found += [
        f"{path}.hosts[{n}]: {host!r} is no host name (no port, no address)"
        for n, host in enumerate(route.hosts)
        if not _HOST.fullmatch(host)
    ]
    return found + _weights(f"{path}.balance", route.balance, every) + _stages(path, route)


def _stages(path: str, route: HttpRoute) -> list[str]:
    found = path_templates.problems(f"{path}.rewrite", route.rewrite)
    if route.rewrite and route.strip_prefix:
        found.append(f"{path}.rewrite: says whole paths: strip_prefix has no place beside it")
    found += header_change.problems(f"{path}.request_headers", route.request_headers)
    found += header_change.problems(f"{path}.reply_headers", route.reply_headers)
    found += body_change.problems(f"{path}.request_body", route.request_body)
    found += body_change.problems(f"{path}.reply_body", route.reply_body)
    found += response_cache.problems(f"{path}.cache", route.cache, route.canaries)
    if route.concurrency is not None:
        found += priority_problems(f"{path}.concurrency.priorities", route.concurrency.priorities)
    return found


def _addresses(path: str, urls: list[str]) -> list[str]:
    return [f"{path}[{n}]: {url!r} is no http(s) address" for n, url in enumerate(urls) if not _http(url)]


def _weights(path: str, balance: Balance, urls: list[str]) -> list[str]:
    known = {url.rstrip("/") for url in urls}
    return [
        f"{path}.weights: {url!r} is none of the addresses"
        for url in balance.weights
        if url.rstrip("/") not in known
    ]


def _reach(route: HttpRoute) -> object:
    """What requests the route is for: equal where two routes could not be told apart."""
    headers = frozenset((name.lower(), value) for name, value in route.match_headers.items())
    hosts = frozenset(host.lower() for host in route.hosts)
    return route.prefix.rstrip("/"), hosts, headers, frozenset(method.upper() for method in route.methods)


def _http(url: str) -> bool:
    try:
        parts = urlsplit(named(url))
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _overlap(prefix: str, taken: str) -> bool:
    return prefix == taken or prefix.startswith(taken + "/") or taken.startswith(prefix.rstrip("/") + "/")
