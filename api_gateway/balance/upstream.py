"""The HTTP service that a route leads to, as the forwarder sees it; and how one is made from the
configuration.
"""

from msgspec import Struct

from api_gateway.balance.gate import Gate
from api_gateway.balance.pool import Pool
from api_gateway.balance.settings import Balance, Concurrency
from api_gateway.balance.split import Arm, Split
from api_gateway.config import Gateways, HttpRoute, Section
from shared.asgi import Exchange
from shared.clock import Clock
from shared.identity.principal import Caller


class Upstream(Struct, frozen=True, kw_only=True):
    """`split` is there where other versions take a part of the requests, `gate` where only so many run at
    once.
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

    def pool_for(self, exchange: Exchange, caller: Caller) -> Pool:
        return self.pool if self.split is None else self.split.choose(exchange, caller)


class Upstreams:
    """Makes upstreams, and knows the pools and gates of all of them for who watches and counts."""

    def __init__(self, clock: Clock) -> None:
        self.pools: list[Pool] = []
        self.gates: list[Gate] = []
        self._clock = clock

    def gateway(self, service: str, section: Section) -> Upstream:
        gateways: Gateways = section.gateways
        return Upstream(
            audience=service,
            pool=self._pool(getattr(gateways, service), gateways.balance, inner=True),
            header_timeout=section.header_timeout_seconds,
            idle_timeout=section.idle_timeout_seconds,
            gate=self._gate(gateways.concurrency),
        )

    def configured(self, route: HttpRoute) -> Upstream:
        pool = self._pool(route.urls, route.balance)
        return Upstream(
            audience=route.audience or route.name,
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
        )

    def _split(self, route: HttpRoute, main: Pool) -> Split | None:
        if not route.canaries:
            return None
        arms = [
            Arm(
                name=canary.name,
                pool=self._pool(canary.urls, route.balance),
                percent=canary.percent,
                headers=tuple((name.lower(), value) for name, value in canary.match_headers.items()),
            )
            for canary in route.canaries
        ]
        return Split(route.name, main, arms, sticky=route.sticky)

    def _pool(self, urls: list[str], rule: Balance, *, inner: bool = False) -> Pool:
        pool = Pool(urls, rule, self._clock, inner=inner)
        self.pools.append(pool)
        return pool

    def _gate(self, rule: Concurrency | None) -> Gate | None:
        if rule is None:
            return None
        gate = Gate(rule, self._clock)
        self.gates.append(gate)
        return gate
