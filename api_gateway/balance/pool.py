"""The replicas that one route leads to: who gets the next request, who is left alone, who is on the way
out.
"""

import contextlib
import random
from collections.abc import Callable, Collection, Iterator, Sequence

from msgspec import Struct

from api_gateway.balance.eject import Outliers
from api_gateway.balance.hash_key import key_of
from api_gateway.balance.replica import Replica
from api_gateway.balance.retry import RetryBudget
from api_gateway.balance.settings import DNS, Balance, named
from api_gateway.balance.strategies import strategy
from shared.asgi import Exchange
from shared.clock import Clock
from shared.egress import Destination
from shared.errors import Unavailable, UpstreamFault, UpstreamUnreachable
from shared.http_client import HttpClient
from shared.identity.principal import Caller

_SOON = 1.0


class Seen(Struct, frozen=True, kw_only=True):
    """A pool at one moment, for `/metrics`."""

    ready: int = 0
    ejected: int = 0
    down: int = 0
    draining: int = 0


class Pool:
    """`only` is the one address of a pool that has nothing to choose: it needs none of the rest. `inner` says
    that a gateway of ours is behind it, which repeats by itself what it sends on and tells of failures that
    are not its own. `http` is the client for whoever is not to be trusted by the system's authorities.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        rule: Balance,
        clock: Clock,
        *,
        inner: bool = False,
        http: HttpClient | None = None,
        dice: random.Random | None = None,
    ) -> None:
        self.rule = rule
        self.inner = inner
        self.http = http
        self.addresses = list(dict.fromkeys(address.rstrip("/") for address in addresses))
        self.members: list[Replica] = []
        self.key_of: Callable[[Exchange, Caller], str] | None = key_of(rule)
        self.retries = RetryBudget(rule.retries)
        self.outliers = Outliers(rule.ejection, statuses=not inner)
        self._clock = clock
        self._strategy = strategy(rule, dice or random.Random())  # noqa: S311  a choice, no secret
        self._by_address: dict[str, list[Replica]] = {}
        weights = {address.rstrip("/"): weight for address, weight in rule.weights.items()}
        self._weights = {address: weights.get(address, 1.0) for address in self.addresses}
        fixed = [address for address in self.addresses if not address.startswith(DNS)]
        for address in fixed:
            self._by_address[address] = [Replica(address, weight=self._weights[address])]
        alone = len(self.addresses) == len(fixed) == 1 and rule.health is None
        self.only: str | None = fixed[0] if alone else None
        self._regroup()

    def settle(self, address: str, found: Sequence[Destination]) -> None:
        """What the name in `address` stands for now: who is new warms up, who has gone gets nothing more and
        is forgotten once what it has is done.
        """
        known = {replica.name: replica for replica in self._by_address.get(address, [])}
        before = {name for name, replica in known.items() if not replica.leaving}
        first = address not in self._by_address
        url, now = named(address), self._clock.monotonic()
        there: list[Replica] = []
        for pinned in found:
            fresh = Replica(
                url, pinned=pinned, weight=self._weights[address], warm_from=None if first else now
            )
            replica = known.pop(fresh.name, fresh)
            if replica.leaving:
                replica.leaving, replica.warm_from = False, now
            there.append(replica)
        for replica in known.values():
            replica.leaving = True
        self._by_address[address] = [*there, *(old for old in known.values() if old.in_flight)]
        if before != {replica.name for replica in there}:
            self._regroup()

    def take(self, exchange: Exchange, caller: Caller, tried: Collection[Replica] = ()) -> Replica:
        """The replica for this request; `give` it back. Raises Unavailable when there is none."""
        now = self._clock.monotonic()
        ready = self._ready(now, tried)
        if not ready:
            raise Unavailable("no replica of this service is healthy right now", retry_after=_SOON)
        slow_start = self.rule.slow_start_seconds
        for replica in ready:
            replica.share = replica.weight * replica.warmth(now, slow_start)
        key = self.key_of(exchange, caller) if self.key_of is not None else ""
        chosen = ready[0] if len(ready) == 1 else self._strategy.pick(ready, key)
        chosen.in_flight += 1
        return chosen

    def give(self, replica: Replica) -> None:
        replica.in_flight -= 1
        if replica.leaving and not replica.in_flight:
            for replicas in self._by_address.values():
                if replica in replicas:
                    replicas.remove(replica)
            self._regroup()

    @contextlib.contextmanager
    def lent(self, exchange: Exchange, caller: Caller) -> Iterator[Replica]:
        """A replica for a request that is tried once. Raises Unavailable when there is none."""
        replica = self.take(exchange, caller)
        try:
            yield replica
        finally:
            self.give(replica)

    def succeeded(self, replica: Replica) -> None:
        self.outliers.succeeded(replica, self._clock.monotonic())

    def failed(self, replica: Replica) -> None:
        self.outliers.failed(replica, self.members, self._clock.monotonic())

    def blame(self, replica: Replica, error: UpstreamFault) -> None:
        """An inner gateway may be slow or break off because of who is behind it: only that nobody is there
        counts against it.
        """
        if not self.inner or isinstance(error, UpstreamUnreachable):
            self.failed(replica)

    def another(self, tried: Collection[Replica]) -> bool:
        """Is there anybody left who has not been tried?"""
        return bool(self._ready(self._clock.monotonic(), tried))

    def seen(self) -> Seen:
        now = self._clock.monotonic()
        here = [replica for replica in self.members if not replica.leaving]
        return Seen(
            ready=sum(replica.ready(now) for replica in here),
            ejected=sum(replica.up and now < replica.ejected_until for replica in here),
            down=sum(not replica.up for replica in here),
            draining=len(self.members) - len(here),
        )

    def probed(self, replica: Replica, well: bool) -> None:
        """One active check has come back. The first of `rise` or `fall` in a row turns the replica."""
        health = self.rule.health
        if health is None:
            return
        replica.probes = 0 if well == replica.up else replica.probes + 1
        if replica.up and replica.probes >= health.fall:
            replica.up, replica.probes = False, 0
        elif not replica.up and replica.probes >= health.rise:
            replica.up, replica.probes = True, 0
            replica.warm_from = self._clock.monotonic()

    def _ready(self, now: float, tried: Collection[Replica]) -> list[Replica]:
        found = [one for one in self.members if one.ready(now) and one not in tried]
        if found or tried:
            return found
        # Better one that failed lately than nobody: an ejection is a guess, a failed check is not.
        return [one for one in self.members if one.up and not one.leaving]

    def _regroup(self) -> None:
        self.members = [replica for replicas in self._by_address.values() for replica in replicas]
        self._strategy.joined([replica for replica in self.members if not replica.leaving])
