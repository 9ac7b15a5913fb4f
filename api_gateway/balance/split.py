"""A part of a route's requests goes to another version of its service: the same callers each time."""

import hashlib
import random
from collections.abc import Sequence

from msgspec import Struct

from api_gateway.balance.hash_key import whose
from api_gateway.balance.pool import Pool
from shared.asgi import Exchange
from shared.identity.principal import Caller

_PARTS = 10_000


class Arm(Struct, frozen=True, kw_only=True):
    """One other version: `percent` of the callers, and whoever sends all of `headers`."""

    name: str
    pool: Pool
    percent: float
    headers: tuple[tuple[str, str], ...] = ()


class Split:
    """`sticky` draws by principal (all of a chain goes one way), otherwise anew for each request. Who is
    drawn stays drawn when the first arm's share is raised.
    """

    def __init__(
        self, route: str, main: Pool, arms: Sequence[Arm], *, sticky: bool, dice: random.Random | None = None
    ) -> None:
        self._route = route
        self._main = main
        self._arms = tuple(arms)
        self._sticky = sticky
        self._dice = dice or random.Random()  # noqa: S311  a choice, no secret

    def choose(self, exchange: Exchange, caller: Caller) -> Pool:
        """An arm nobody of which is well loses its callers to the main version."""
        for arm in self._arms:
            if arm.headers and sends(exchange, arm.headers):
                return self._or_main(arm.pool)
        drawn = self._drawn(caller)
        for arm in self._arms:
            drawn -= arm.percent
            if drawn < 0:
                return self._or_main(arm.pool)
        return self._main

    def _or_main(self, pool: Pool) -> Pool:
        return pool if pool.only is not None or pool.another(()) else self._main

    def _drawn(self, caller: Caller) -> float:
        """From 0 to just below 100."""
        if not self._sticky:
            return self._dice.random() * 100
        digest = hashlib.blake2b(f"{self._route} {whose(caller)}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) % _PARTS * 100 / _PARTS


def sends(exchange: Exchange, wanted: Sequence[tuple[str, str]]) -> bool:
    """Are all of these headers there? `*` is any value."""
    for name, value in wanted:
        found = exchange.header(name)
        if found is None or value not in ("*", found):
            return False
    return True
