"""Refused credentials, counted by the address that they come from: whoever keeps trying is told to wait,
longer each time.

Every credential is checked first, so that a good one is never held up, whoever else shares its address. That
nobody guesses one is the business of its 256 random bits, or of its signature.
"""

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from shared.asgi import Exchange
from shared.authenticators import Authenticate, Authenticator, Silent
from shared.authenticators.credential import Shown
from shared.client_address import source
from shared.clock import Clock
from shared.errors import LimitExceeded, Unauthenticated
from shared.identity.principal import Caller

_FREE = 20
_QUIET_SECONDS = 60.0
_LONGEST_SECONDS = 60.0
_MOST_ADDRESSES = 10_000


class Refused:
    """How often credentials of an address have been refused, wherever it tried them. An address that was
    quiet for a minute starts anew.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @contextlib.contextmanager
    def counted(self, exchange: Exchange) -> Iterator[None]:
        """Around the check of a credential: raises LimitExceeded in place of the twenty-first
        Unauthenticated.
        """
        try:
            yield
        except Unauthenticated as error:
            wait = self._count(source(exchange.scope))
            if wait:
                raise LimitExceeded(
                    "too many credentials from your address have been refused: look at yours before you try "
                    "again",
                    retry_after=wait,
                    cause=error.detail,
                ) from error
            raise

    def _count(self, address: str) -> float:
        """One more from this address. How long it should wait now, in seconds."""
        now = self._clock.monotonic()
        count, last = self._refused.pop(address, (0, now))
        count = 1 if now - last >= _QUIET_SECONDS else count + 1
        self._refused[address] = (count, now)
        if len(self._refused) > _MOST_ADDRESSES:
            self._refused.popitem(last=False)
        return min(2.0 ** min(count - _FREE - 1, 16), _LONGEST_SECONDS) if count > _FREE else 0.0


class SlowDown(Authenticate):
    """The stage at the edge."""

    def __init__(
        self,
        authenticators: Sequence[Authenticator],
        silent: Silent | None = None,
        *,
        refused: Refused,
    ) -> None:
        super().__init__(authenticators, silent)
        self._counter = refused

    async def _caller(self, exchange: Exchange, shown: Shown) -> Caller:
        """Raises like `Authenticate`, and LimitExceeded."""
        if not shown:
            # Clients that bring nothing want to be told what to bring.
            return await super()._caller(exchange, shown)
        with self._counter.counted(exchange):
            return await super()._caller(exchange, shown)
