"""The edge's own section of `gatestack.yaml`."""

import re
from typing import Annotated

from msgspec import Meta, Struct, field

from shared.config import Secret
from shared.limits.rule import LimitRule
from shared.server import ServerName

Seconds = Annotated[float, Meta(gt=0)]
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
# Route names that the gateways themselves stand under.
BUILT_IN = ("llm", "mcp", "agents", "admin")
BUILT_IN_PREFIXES = (
    "/v1",
    "/mcp",
    "/servers",
    "/agents",
    "/admin",
    "/healthz",
    "/readyz",
    "/metrics",
    "/.well-known",
)


class HttpRoute(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Any HTTP service behind the edge. Policy speaks of it as `route:<name>`; it gets an identity token for
    `audience`.

    `headers` are the credentials of the service itself and replace what the caller sent under those names.
    """

    name: str
    prefix: str
    urls: Annotated[list[str], Meta(min_length=1)]
    strip_prefix: bool = False
    methods: list[str] = []
    audience: str = ""
    headers: dict[str, Secret] = {}
    header_timeout_seconds: Seconds = 60.0
    idle_timeout_seconds: Seconds = 300.0


class Gateways(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the three inner gateways are; several addresses take turns."""

    llm_gateway: list[str] = field(default_factory=lambda: ["http://127.0.0.1:8081"])
    mcp_gateway: list[str] = field(default_factory=lambda: ["http://127.0.0.1:8082"])
    agent_gateway: list[str] = field(default_factory=lambda: ["http://127.0.0.1:8083"])


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    bind: str = "127.0.0.1:8080"
    server: ServerName = "hypercorn"
    gateways: Gateways = Gateways()
    routes: list[HttpRoute] = []
    limits: list[LimitRule] = []
    max_body_bytes: Annotated[int, Meta(ge=1)] = 33_554_432
    header_timeout_seconds: Seconds = 3600.0
    idle_timeout_seconds: Seconds = 600.0
    operator: str = "user:operator"
    operator_tenant: str = "system"


def problems(section: Section) -> list[str]:
    """What the types alone cannot see, as `path: problem`."""
    found: list[str] = []
    seen: set[str] = set()
    for place, route in enumerate(section.routes):
        path = f"routes[{place}]"
        if not _NAME.fullmatch(route.name):
            found.append(f"{path}.name: {route.name!r} must be lower-case letters, digits, - and _")
        if route.name in BUILT_IN or route.name in seen:
            found.append(f"{path}.name: {route.name!r} is taken")
        seen.add(route.name)
        if not route.prefix.startswith("/") or route.prefix == "/":
            found.append(f"{path}.prefix: {route.prefix!r} must start with / and name something")
        elif any(_overlap(route.prefix, taken) for taken in BUILT_IN_PREFIXES):
            found.append(f"{path}.prefix: {route.prefix!r} overlaps a path of the gateways themselves")
        found += [
            f"{path}.urls[{n}]: {url!r} is no http(s) address"
            for n, url in enumerate(route.urls)
            if not _http(url)
        ]
    for service in Gateways.__struct_fields__:
        urls = getattr(section.gateways, service)
        if not urls:
            found.append(f"gateways.{service}: needs at least one address")
        found += [
            f"gateways.{service}[{n}]: {url!r} is no http(s) address"
            for n, url in enumerate(urls)
            if not _http(url)
        ]
    if not section.bind.rpartition(":")[2].isdigit():
        found.append(f"bind: {section.bind!r} is not host:port")
    return found


def _http(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _overlap(prefix: str, taken: str) -> bool:
    return prefix == taken or prefix.startswith(taken + "/") or taken.startswith(prefix.rstrip("/") + "/")
