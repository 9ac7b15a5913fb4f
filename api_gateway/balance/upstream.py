"""The HTTP service that a route leads to, as the forwarder sees it; and how one is made from the
configuration.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from api_gateway import body_change
from api_gateway.balance.gate import Gate
from api_gateway.balance.pool import Pool
from api_gateway.balance.settings import Balance, Concurrency
from api_gateway.balance.split import Arm, Split
from api_gateway.body_change import BodyChange
from api_gateway.config import Section
from api_gateway.contract.rule import OpenApi
from api_gateway.gateways import Gateways
from api_gateway.header_change import HeaderChange, change_of
from api_gateway.http_route import HttpRoute
from api_gateway.idempotency_keys import Idempotency
from api_gateway.path_templates import Paths
from api_gateway.response_cache import Cache, ResponseCache
from api_gateway.websocket import WebSocketRule
from shared.asgi import Exchange
from shared.clock import Clock
from shared.http_client import HttpClient
from shared.identity.principal import Caller
from shared.policy import PolicyBox
from shared.tls_trust import Trust, context_of
from shared.websocket_client import WebSocketClient

if TYPE_CHECKING:
    from api_gateway.contract.request import Contract


class Upstream(Struct, frozen=True, kw_only=True):
    """`split` is there where other versions take a part of the requests, `gate` where only so many run at
    once, `http` where TLS is not trusted as the system does, `websocket` and `sockets` where there are such.
    """

    audience: str
    pool: Pool
    header_timeout: float
    idle_timeout: float
    connect_timeout: float = 5.0
    headers: tuple[tuple[bytes, bytes], ...] = ()
    strip: str = ""
    split: Split | None = None
    gate: Gate | None = None
    paths: Paths | None = None
    request_headers: HeaderChange | None = None
    reply_headers: HeaderChange | None = None
    request_body: BodyChange | None = None
    reply_body: BodyChange | None = None
    idempotency: Idempotency | None = None
    cache: ResponseCache | None = None
    contract: "Contract | None" = None
    http: HttpClient | None = None
    websocket: WebSocketRule | None = None
    sockets: WebSocketClient | None = None

    @property
    def keeps(self) -> bool:
        """Whether some requests are answered with what earlier ones got."""
        return self.cache is not None or self.idempotency is not None

    def pool_for(self, exchange: Exchange, caller: Caller) -> Pool:
        return self.pool if self.split is None else self.split.choose(exchange, caller)


class Upstreams:
    """Makes upstreams, and knows the pools and gates of all of them for who watches and counts."""

    def __init__(self, clock: Clock, policy: PolicyBox | None = None) -> None:
        self.pools: list[Pool] = []
        self.gates: list[Gate] = []
        self.caches: list[ResponseCache] = []
        self._clock = clock
        self._policy = policy
        self._clients: dict[Trust, HttpClient] = {}
        self._sockets: dict[Trust | None, WebSocketClient] = {}

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()
        for sockets in self._sockets.values():
            await sockets.close()

    def gateway(self, service: str, section: Section) -> Upstream:
        gateways: Gateways = section.gateways
        http = self._client(gateways.tls)
        return Upstream(
            audience=service,
            http=http,
            pool=self._pool(getattr(gateways, service), gateways.balance, http, inner=True),
            header_timeout=section.header_timeout_seconds,
            idle_timeout=section.idle_timeout_seconds,
            gate=self._gate(gateways.concurrency),
        )

    def configured(self, route: HttpRoute) -> Upstream:
        http = self._client(route.tls)
        pool = self._pool(route.urls, route.balance, http)
        return Upstream(
            audience=route.audience or route.name,
            http=http,
            pool=pool,
            connect_timeout=route.connect_timeout_seconds,
            header_timeout=route.header_timeout_seconds,
            idle_timeout=route.idle_timeout_seconds,
            headers=tuple(
                (name.lower().encode(), secret.reveal().encode()) for name, secret in route.headers.items()
            ),
            strip=route.prefix.rstrip("/") if route.strip_prefix else "",
            split=self._split(route, pool),
            gate=self._gate(route.concurrency),
            paths=Paths(route.rewrite) if route.rewrite else None,
            request_headers=change_of(route.request_headers),
            reply_headers=change_of(route.reply_headers),
            request_body=body_change.change_of(route.request_body),
            reply_body=body_change.change_of(route.reply_body),
            contract=contract_of(route.openapi),
            idempotency=route.idempotency,
            cache=self._cache(route.cache),
            websocket=route.websocket,
            sockets=self._socket_client(route.tls) if route.websocket is not None else None,
        )

    def _split(self, route: HttpRoute, main: Pool) -> Split | None:
        if not route.canaries:
            return None
        arms = [
            Arm(
                name=canary.name,
                pool=self._pool(canary.urls, route.balance, main.http),
                percent=canary.percent,
                headers=tuple((name.lower(), value) for name, value in canary.match_headers.items()),
            )
            for canary in route.canaries
        ]
        return Split(route.name, main, arms, sticky=route.sticky)

    def _client(self, trust: Trust | None) -> HttpClient | None:
        if trust is None:
            return None
        if trust not in self._clients:
            self._clients[trust] = HttpClient(tls=context_of(trust))
        return self._clients[trust]

    def _socket_client(self, trust: Trust | None) -> WebSocketClient:
        if trust not in self._sockets:
            self._sockets[trust] = WebSocketClient(tls=context_of(trust) if trust is not None else None)
        return self._sockets[trust]

    def _pool(self, urls: list[str], rule: Balance, http: HttpClient | None, *, inner: bool = False) -> Pool:
        pool = Pool(urls, rule, self._clock, inner=inner, http=http)
        self.pools.append(pool)
        return pool

    def _gate(self, rule: Concurrency | None) -> Gate | None:
        if rule is None:
            return None
        gate = Gate(rule, self._clock, self._policy)
        self.gates.append(gate)
        return gate

    def _cache(self, rule: Cache | None) -> ResponseCache | None:
        if rule is None:
            return None
        cache = ResponseCache(rule, self._clock)
        self.caches.append(cache)
        return cache


def contract_of(rule: OpenApi | None) -> "Contract | None":
    """Raises ValueError for a document that nothing can be checked by."""
    if rule is None:
        return None
    # What checks schemas takes a quarter of a second to load, and most edges have no use for it.
    from api_gateway.contract.request import Contract

    return Contract(rule, Path(rule.file))
