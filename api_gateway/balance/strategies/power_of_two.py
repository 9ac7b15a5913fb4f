"""Two are drawn and the less busy one is taken: nearly as good as the least busy of all, and many edges that
know nothing of each other do not all run to the same one.
"""

import random
from collections.abc import Sequence

from api_gateway.balance.replica import Replica
from api_gateway.balance.strategies.least_busy import busyness


class PowerOfTwo:
    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def joined(self, members: Sequence[Replica]) -> None:
        pass

    def pick(self, ready: Sequence[Replica], key: str) -> Replica:
        count = len(ready)
        if count == 1:
            return ready[0]
        first = self._dice.randrange(count)
        second = self._dice.randrange(count - 1)
        if second >= first:
            second += 1
        return min(ready[first], ready[second], key=busyness)
