"""Whoever has the fewest requests open for what it can take."""

import random
from collections.abc import Sequence

from api_gateway.balance.replica import Replica


class LeastBusy:
    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def joined(self, members: Sequence[Replica]) -> None:
        pass

    def pick(self, ready: Sequence[Replica], key: str) -> Replica:
        # Ties are drawn: always the first one would be everybody's first one.
        start = self._dice.randrange(len(ready))
        return min((*ready[start:], *ready[:start]), key=busyness)


def busyness(replica: Replica) -> float:
    return (replica.in_flight + 1) / replica.share
