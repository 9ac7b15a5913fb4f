"""The same key leads to the same replica, unless that one has clearly more than its share: then to the next
on the ring (consistent hashing with bounded loads, Mirrokni et al. 2016).
"""

import bisect
import hashlib
import math
from collections.abc import Sequence

from api_gateway.balance.replica import Replica
from api_gateway.balance.strategies.strategy import Strategy

_POINTS = 64


class ConsistentHash:
    """`keyless` chooses for requests without a key."""

    def __init__(self, overload: float, keyless: Strategy) -> None:
        self._overload = overload
        self._keyless = keyless
        self._points: list[int] = []
        self._owners: list[Replica] = []

    def joined(self, members: Sequence[Replica]) -> None:
        ring = sorted(
            (
                (_point(f"{replica.name}#{place}"), replica)
                for replica in members
                for place in _places(replica)
            ),
            key=lambda item: item[0],
        )
        self._points = [point for point, _ in ring]
        self._owners = [replica for _, replica in ring]

    def pick(self, ready: Sequence[Replica], key: str) -> Replica:
        if not key:
            return self._keyless.pick(ready, key)
        wanted = set(ready)
        open_now = sum(replica.in_flight for replica in ready) + 1
        fair = self._overload * open_now / sum(replica.share for replica in ready)
        start = bisect.bisect(self._points, _point(key))
        for step in range(len(self._owners)):
            replica = self._owners[(start + step) % len(self._owners)]
            if replica in wanted:
                if replica.in_flight < math.ceil(fair * replica.share):
                    return replica
                wanted.discard(replica)
        return self._keyless.pick(ready, key)


def _places(replica: Replica) -> range:
    return range(max(1, round(_POINTS * replica.weight)))


def _point(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
