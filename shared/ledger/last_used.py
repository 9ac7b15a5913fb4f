"""When each key was last used, read off the ledger's rows as they move to SQL: no call writes it itself."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from shared.ledger.row import SealedRow
from shared.store import Store

# Nobody asks more precisely, and a busy key must not cost a write a batch.
_COARSE_US = 60_000_000
_MOST_KEYS = 10_000


class _Use(Struct):
    key: str = ""
    started_at: int = 0


class LastUsed:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: dict[str, int] = {}

    async def learn(self, rows: Sequence[SealedRow]) -> None:
        """Keeps for every key of `rows` when it was used, to the minute."""
        latest: dict[str, int] = {}
        for row in rows:
            if b'"key":"' in row.body:
                use = msgspec.json.decode(row.body, type=_Use)
                latest[use.key] = max(use.started_at, latest.get(use.key, 0))
        if len(self._told) > _MOST_KEYS:
            self._told.clear()
        for key, at in latest.items():
            if key and at >= self._told.get(key, 0) + _COARSE_US:
                await self._store.touch_key(key, at)
                self._told[key] = at
