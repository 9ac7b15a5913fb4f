"""In turns, evenly mixed: nobody is asked twice in a row because it counts more (smooth weighted round
robin).
"""

from collections.abc import Sequence

from api_gateway.balance.replica import Replica


class Turns:
    """`weighted` says whether the configured weights count; warming up always does."""

    def __init__(self, *, weighted: bool) -> None:
        self._weighted = weighted

    def joined(self, members: Sequence[Replica]) -> None:
        for replica in members:
            replica.credit = 0.0

    def pick(self, ready: Sequence[Replica], key: str) -> Replica:
        total = 0.0
        best = ready[0]
        for replica in ready:
            gain = replica.share if self._weighted else replica.share / replica.weight
            replica.credit += gain
            total += gain
            if replica.credit > best.credit:
                best = replica
        best.credit -= total
        return best
