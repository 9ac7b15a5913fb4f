"""The edge's own section of `gatestack.yaml`. Its parts stand with the things that they are about."""

from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from api_gateway.addresses import AddressRule
from api_gateway.addresses import problems as address_problems
from api_gateway.balance.settings import Seconds
from api_gateway.gateways import Gateways
from api_gateway.gateways import problems as gateway_problems
from api_gateway.http_route import HttpRoute
from api_gateway.http_route import problems as route_problems
from api_gateway.maintenance import Maintenance
from api_gateway.maintenance import problems as maintenance_problems
from api_gateway.regions.settings import Region
from api_gateway.service_urls import is_http
from shared.authenticators.client_certificate import KnownClient
from shared.authenticators.client_certificate import problems as client_problems
from shared.client_address import problems as proxy_problems
from shared.limits.rule import LimitRule
from shared.server import Clients, ServerName
from shared.tls import Tls


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
    found = route_problems("routes", section.routes)
    found += gateway_problems("gateways", section.gateways)
    public = section.oauth.public_url
    if public and (not is_http(public) or urlsplit(public).path):
        found.append(f"oauth.public_url: {public!r} is no http(s) address without a path")
    found += _certificates(section)
    found += proxy_problems("proxies", section.proxies)
    found += address_problems("addresses", section.addresses)
    names = [route.name for route in section.routes]
    found += maintenance_problems("maintenance", section.maintenance, names)
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
