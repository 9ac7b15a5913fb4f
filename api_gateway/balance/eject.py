"""Leaves replicas alone that keep failing, by what real requests tell."""

from collections.abc import Sequence

from api_gateway.balance.replica import Replica
from api_gateway.balance.settings import Ejection


class Outliers:
    def __init__(self, rule: Ejection, *, statuses: bool) -> None:
        """`statuses` is False where a 5xx is told on behalf of somebody further behind."""
        self._rule = rule
        self._statuses = frozenset(rule.statuses if statuses else ())

    def bad(self, status: int) -> bool:
        return status in self._statuses

    def succeeded(self, replica: Replica, now: float) -> None:
        replica.failures = 0
        # It has now been well for as long as it was away: what was before does not count any more.
        if replica.ejections and now >= replica.ejected_until + self._away(replica.ejections):
            replica.ejections = 0

    def failed(self, replica: Replica, members: Sequence[Replica], now: float) -> None:
        replica.failures += 1
        if replica.failures < self._rule.consecutive or now < replica.ejected_until:
            return
        there = [member for member in members if not member.leaving]
        away = sum(now < member.ejected_until for member in there)
        if away + 1 > int(self._rule.max_share * len(there)):
            return
        replica.ejections += 1
        replica.failures = 0
        replica.ejected_until = now + self._away(replica.ejections)

    def _away(self, times: int) -> float:
        rule = self._rule
        return min(rule.longest_seconds, rule.seconds * 2.0 ** min(times - 1, 30))
