"""What every strategy is to a pool."""

from collections.abc import Sequence
from typing import Protocol

from api_gateway.balance.replica import Replica


class Strategy(Protocol):
    def joined(self, members: Sequence[Replica]) -> None:
        """Told whenever somebody has come or gone."""

    def pick(self, ready: Sequence[Replica], key: str) -> Replica:
        """One of `ready`, which has at least one; `key` is what a hash goes by, "" for none."""
