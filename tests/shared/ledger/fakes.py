"""A limiter that a test can take away, fill up or hold back, and that remembers what it was told."""

import asyncio
from typing import cast

from shared.errors import Unavailable
from shared.ledger.row import Row, SealedRow, opened
from shared.limits.limiter import Lease, Limiter
from shared.limits.plan import Estimate, plan


class FakeLimiter:
    def __init__(self) -> None:
        self.asked = 0
        self.rows: list[SealedRow] = []
        self.settled: list[tuple[str, Estimate]] = []
        self.tenants: list[str] = []
        self.error: Exception | None = None
        self.error_with_lease: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def settle(
        self, lease: Lease | None, used: Estimate, *, tenant: str, row: bytes, hash: bytes
    ) -> None:
        self.asked += 1
        await self.open.wait()
        # Answers arrive in any order.
        if hash[0] % 2:
            await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        if lease is not None:
            if self.error_with_lease is not None:
                raise self.error_with_lease
            self.settled.append((lease.id, used))
        self.tenants.append(tenant)
        self.rows.append(SealedRow(row, hash))

    def gone(self) -> None:
        self.error = Unavailable("Redis is gone")

    def back(self) -> None:
        self.error = None

    @property
    def chain(self) -> list[Row]:
        """What arrived, in the order of the writer's chain."""
        return sorted((opened(row.body) for row in self.rows), key=lambda row: row.seq)

    def as_limiter(self) -> Limiter:
        return cast(Limiter, self)


def lease(identity: str = "l1", **estimate: int) -> Lease:
    return Lease(id=identity, tenant="acme", chain="c", plan=plan([], {}, Estimate(**estimate)))


def assert_chained(rows: list[SealedRow]) -> None:
    """Every row from the first on is there and names the hash of the one before it."""
    ordered = sorted(rows, key=lambda sealed: opened(sealed.body).seq)
    previous = ""
    for seq, sealed in enumerate(ordered, start=1):
        row = opened(sealed.body)
        assert (row.seq, row.prev) == (seq, previous)
        previous = sealed.hash.hex()
