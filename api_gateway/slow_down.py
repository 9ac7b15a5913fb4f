"""Refused credentials, counted by the address that they come from: whoever keeps trying is told to wait,
longer each time.

Every credential is checked first, so that a good one is never held up, whoever else shares its address. That
nobody guesses one is the business of its 256 random bits, or of its signature.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Sequence

from shared.asgi import Exchange
from shared.authenticators import Authenticate, Authenticator
from shared.authenticators.credential import presented
from shared.clock import Clock
from shared.errors import LimitExceeded, Unauthenticated
from shared.identity.principal import Caller

_FREE = 20
_QUIET_SECONDS = 60.0
_LONGEST_SECONDS = 60.0
_MOST_ADDRESSES = 10_000
# Whoever has one address of these has all of them.
_NETWORK_BITS = 64


class SlowDown(Authenticate):
    """The stage at the edge. An address that was quiet for a minute starts anew."""

    def __init__(
        self, authenticators: Sequence[Authenticator], silent: Authenticator | None = None, *, clock: Clock
    ) -> None:
        super().__init__(authenticators, silent)
        self._clock = clock
        self._refused: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def __call__(self, exchange: Exchange) -> Caller:
        """Raises like `Authenticate`, and LimitExceeded in place of the twenty-first Unauthenticated."""
        try:
            return await super().__call__(exchange)
        except Unauthenticated as error:
            # Clients that bring nothing want to be told what to bring.
            wait = self._count(exchange) if presented(exchange, self._places) else 0.0
            if wait:
                raise LimitExceeded(
                    "too many credentials from your address have been refused: look at yours before you try "
                    "again",
                    retry_after=wait,
                    cause=error.detail,
                ) from error
            raise

    def _count(self, exchange: Exchange) -> float:
        """One more from this address. How long it should wait now, in seconds."""
        now, address = self._clock.monotonic(), _address(exchange)
        count, last = self._refused.pop(address, (0, now))
        count = 1 if now - last >= _QUIET_SECONDS else count + 1
        self._refused[address] = (count, now)
        if len(self._refused) > _MOST_ADDRESSES:
            self._refused.popitem(last=False)
        return min(2.0 ** min(count - _FREE - 1, 16), _LONGEST_SECONDS) if count > _FREE else 0.0


def _address(exchange: Exchange) -> str:
    """Who is connected to us: a header could name anybody."""
    host = str((exchange.scope.get("client") or ("",))[0])
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((int(address), _NETWORK_BITS), strict=False))
