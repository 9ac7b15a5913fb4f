"""Whether a request may be sent a second time, to another replica. Only before the first byte of an answer
has gone out, and only where that cannot do a thing twice.
"""

from api_gateway.balance.settings import Retry
from shared.asgi import Exchange
from shared.errors import UpstreamFault
from shared.http_client import never_sent

_READS = frozenset(("GET", "HEAD", "OPTIONS"))
_REPEATABLE = _READS | {"PUT", "DELETE"}
_STATUSES = frozenset((502, 503, 504))


class RetryBudget:
    """Each request earns a part of a retry; a storm of failures is not answered with a storm of retries."""

    def __init__(self, rule: Retry) -> None:
        self._rule = rule
        self.left = float(rule.burst)
        self.spent = 0

    def earn(self) -> None:
        self.left = min(float(self._rule.burst), self.left + self._rule.share)

    def spend(self, tries: int) -> bool:
        """May a request that has been tried `tries` times be tried again? Then that is paid."""
        if tries > self._rule.attempts or self.left < 1:
            return False
        self.left -= 1
        self.spent += 1
        return True


def repeatable(exchange: Exchange) -> bool:
    """Is this request harmless to repeat: it only reads, or says itself that it may be sent twice?"""
    if exchange.method in _READS:
        return True
    return exchange.method in _REPEATABLE and exchange.header_or_none("idempotency-key") is not None


def after_fault(exchange: Exchange, error: UpstreamFault, *, inner: bool) -> bool:
    """May another replica be tried? An inner gateway (`inner`) repeats by itself what it sends on: to it we
    repeat only what it cannot have seen.
    """
    return never_sent(error) or (not inner and repeatable(exchange))


def after_status(exchange: Exchange, status: int, *, inner: bool) -> bool:
    return status in _STATUSES and not inner and repeatable(exchange)
