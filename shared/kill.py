"""The kill switch: who and what is stopped, asked before everything, and the cutting of what is in flight.

The list comes as the `kills` snapshot. While nobody can confirm that it is the newest, every call is refused.
What was started with a key that has been revoked is stopped like what was killed.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct, field

from shared.clock import Clock
from shared.errors import GatestackError, Killed, Stopping, Unavailable
from shared.kill_selector import DIMENSIONS, Selector
from shared.ledger.entry import Entry
from shared.policy.glob import covers

__all__ = ["DIMENSIONS", "Kill", "KillSwitch"]

Cut = Callable[[GatestackError], None]


class Kill(Struct, frozen=True):
    """One order to stop. `reason` is told to those it stops; `at` is in microseconds since 1970."""

    id: str
    selector: dict[str, str]
    reason: str = ""
    by: str = ""
    at: int = 0


class Source(Protocol):
    """Where the list comes from: `shared.snapshots.Snapshots`."""

    def on(self, name: str, apply: Callable[[bytes, int], None]) -> None: ...

    def fresh(self, name: str) -> float: ...


class _Order(Struct, frozen=True):
    kill: Kill
    selector: Selector

    def refusal(self) -> Killed:
        reason = self.kill.reason
        return Killed("this call was stopped by an operator" + (f": {reason}" if reason else ""))


class _Filed(Struct, frozen=True):
    """The orders that are looked for under one dimension."""

    literals: dict[str, list[_Order]] = field(default_factory=dict)
    globs: list[tuple[str, _Order]] = field(default_factory=list)

    def first(self, value: str, entry: Entry) -> _Order | None:
        for order in self.literals.get(value, ()):
            if order.selector.matches(entry):
                return order
        for pattern, order in self.globs:
            if covers(pattern, value) and order.selector.matches(entry):
                return order
        return None


class _Orders:
    """All kills in force. Those that name somebody are found at once, however many there are."""

    def __init__(self, kills: Sequence[Kill]) -> None:
        self._filed: dict[str, _Filed] = {}
        for kill in kills:
            order = _Order(kill, Selector.of(kill.selector))
            dimension, pattern = order.selector.leading
            filed = self._filed.setdefault(dimension, _Filed())
            if "*" in pattern:
                filed.globs.append((pattern, order))
            else:
                filed.literals.setdefault(pattern, []).append(order)

    def first(self, entry: Entry) -> _Order | None:
        for dimension, filed in self._filed.items():
            for value in DIMENSIONS[dimension](entry):
                if value and (order := filed.first(value, entry)) is not None:
                    return order
        return None


def _never(_: str) -> bool:
    return False


class KillSwitch:
    """Knows every open flight of this process. It takes its list from `snapshots` by itself. `revoked` says
    of a key's id whether the key is. `obeyed` hears of every order, after what is open was cut.
    """

    def __init__(
        self,
        snapshots: Source,
        clock: Clock,
        *,
        max_age_seconds: float = 10,
        revoked: Callable[[str], bool] = _never,
    ) -> None:
        self.epoch = 0
        self.obeyed: list[Callable[[], None]] = []
        self._revoked = revoked
        self._snapshots = snapshots
        self._clock = clock
        self._max_age = max_age_seconds
        self._orders: _Orders | None = None
        self._flights: dict[int, tuple[Entry, Cut]] = {}
        self._tokens = itertools.count(1)
        snapshots.on("kills", self.apply)

    @property
    def open(self) -> int:
        """How many calls are under way here."""
        return len(self._flights)

    def check(self, entry: Entry) -> None:
        """Raises Killed where a kill is meant for this call, Unavailable where nobody can tell."""
        if self._snapshots.fresh("kills") > self._max_age:
            raise Unavailable("the kill list cannot be confirmed at the moment, try again", retry_after=1)
        if (refusal := self._refusal(entry)) is not None:
            raise refusal

    def enter(self, entry: Entry, cut: Cut) -> int:
        """Calls `cut` when a kill is meant for `entry`, until `leave` gets the token that this returns."""
        token = next(self._tokens)
        self._flights[token] = (entry, cut)
        return token

    def leave(self, token: int) -> None:
        self._flights.pop(token, None)

    def hits(self, selector: dict[str, str]) -> list[Entry]:
        """The open calls here that a kill with this selector would cut. Raises ValueError on a bad one."""
        wanted = Selector.of(selector)
        return [entry for entry, _ in self._flights.values() if wanted.matches(entry)]

    def apply(self, payload: bytes, epoch: int) -> None:
        """Takes over the `kills` snapshot and cuts what it means, oldest first.

        A list with a kill that this release cannot carry out is refused as a whole (ValueError): the old one
        then grows old and everything is refused, where going on would be to ignore an order.
        """
        kills = msgspec.json.decode(payload, type=list[Kill])
        self._orders, self.epoch = _Orders(kills) if kills else None, epoch
        if self._orders is not None:
            self._obey()

    def keys_changed(self) -> None:
        """Cuts what is in flight with a key that has been revoked since."""
        self._obey()

    def stop(self) -> None:
        """Ends everything that is open: this process stops, and what waits any longer is cut without a
        word.
        """
        self._cut(lambda _: Stopping("this server is being stopped: send the call again", retry_after=1))

    def stops(self, entry: Entry) -> bool:
        """Whether a kill of which this process knows is meant for a call that has ended, as far as it goes on
        elsewhere.
        """
        return self._refusal(entry) is not None

    def _obey(self) -> None:
        try:
            self._cut(self._refusal)
        finally:
            for tell in self.obeyed:
                tell()

    def _refusal(self, entry: Entry) -> GatestackError | None:
        if self._orders is not None and (order := self._orders.first(entry)) is not None:
            return order.refusal()
        if entry.caller is not None and self._revoked(entry.caller.key):
            return Killed("the key that this call was started with has been revoked")
        return None

    def _cut(self, why: Callable[[Entry], GatestackError | None]) -> None:
        failures = []
        for entry, cut in list(self._flights.values()):
            if (reason := why(entry)) is not None:
                try:
                    cut(reason)
                except Exception as error:  # one flight that will not end must not save the others
                    failures.append(error)
        if failures:
            raise ExceptionGroup("some calls could not be cut", failures)
