"""The three gateways behind the edge, and where the configuration says that they are."""

from msgspec import Struct, field

from api_gateway.addresses import AddressRule
from api_gateway.addresses import problems as address_problems
from api_gateway.balance.settings import Balance, Concurrency, priority_problems
from api_gateway.cors import CorsRule
from api_gateway.cors import problems as cors_problems
from api_gateway.service_urls import url_problems, weight_problems
from shared.tls_trust import Trust

INNER = ("llm_gateway", "mcp_gateway", "agent_gateway")
# The routes that lead to them, as policy, limits and maintenance know them.
ROUTES = ("llm", "mcp", "agents")


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


def problems(path: str, gateways: Gateways) -> list[str]:
    """What is wrong with it, as `path: problem`."""
    found: list[str] = []
    every: list[str] = []
    for service in INNER:
        urls: list[str] = getattr(gateways, service)
        if not urls:
            found.append(f"{path}.{service}: needs at least one address")
        found += url_problems(f"{path}.{service}", urls)
        every += urls
    found += weight_problems(f"{path}.balance", gateways.balance.weights, every)
    if gateways.concurrency is not None:
        found += priority_problems(f"{path}.concurrency.priorities", gateways.concurrency.priorities)
    found += address_problems(f"{path}.addresses", gateways.addresses)
    return found + cors_problems(f"{path}.cors", gateways.cors)
