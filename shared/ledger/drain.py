"""The drain: moves rows from every tenant's stream to SQL, in batches, forgetting a row only after its
commit.

It may be stopped or doubled at any moment: rows are kept by id, so a row that is moved twice is kept once.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from shared.clock import Clock
from shared.errors import Unavailable
from shared.ledger.checkpoint import key_of
from shared.ledger.entry import new_id
from shared.ledger.last_used import LastUsed
from shared.ledger.row import SealedRow, opened
from shared.limits.keys import TENANTS, tenant_keys
from shared.redis_client import Redis, Script
from shared.store import SigningKey, Store

_LEADER = "gs:drain"
# How long rows wait in Redis when the one that drains dies. One that stalls for longer only shares the work.
_LEADER_MS = 4000
_RENEW_SECONDS = 1.0
_PAGE = 500
_BATCH = 2000
_IDLE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 2.0
# Looking into a stream costs a round trip: the more tenants there are, the less often all of them are looked
# at.
_SECONDS_PER_TENANT = 0.001

_RENEW = Script(
    "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('PEXPIRE', KEYS[1], ARGV[2]) or 0"
)
_RELEASE = Script("return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0")


class _Pile:
    """Rows of several streams that go into one transaction."""

    def __init__(self) -> None:
        self.places: list[tuple[str, bytes]] = []
        self.rows: list[SealedRow] = []

    def add(self, stream: str, reply: list[Any]) -> None:
        for place, flat in reply:
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            self.places.append((stream, place))
            self.rows.append(SealedRow(fields.get(b"row", b""), fields.get(b"hash", b"")))


class Drain:
    """One process drains at a time, the others stand by. `lag` is how many rows wait in Redis, `trouble` what
    keeps them there ("" while all is well)."""

    def __init__(self, redis: Redis, store: Store, clock: Clock) -> None:
        self.lag = 0
        self.trouble = ""
        self._redis = redis
        self._store = store
        self._clock = clock
        self._token = new_id()
        self._leads = False
        self._led_at = 0.0
        self._tenant_count = 0
        self._unreadable = 0
        self._known_keys: set[str] = set()
        self._last_used = LastUsed(store)

    async def run(self) -> None:
        """Until cancelled."""
        pause = _IDLE_SECONDS
        try:
            while True:
                try:
                    moved = await self.step()
                    idle = max(_IDLE_SECONDS, self._tenant_count * _SECONDS_PER_TENANT)
                    pause = 0.0 if moved >= _BATCH else idle
                except Exception as error:  # a database that is gone or full: rows wait where they are
                    self.trouble = str(error)
                    pause = min(max(pause, _IDLE_SECONDS) * 2, _LONGEST_PAUSE_SECONDS)
                await asyncio.sleep(pause)
        finally:
            await self._resign()

    async def step(self) -> int:
        """Moves what waits now; how many rows. Nothing, when another process leads."""
        if not await self._leads_now():
            self.lag = await self._waiting()
            return 0
        try:
            return await self._move()
        except Exception:
            self.lag = await self._waiting()
            raise

    async def _move(self) -> int:
        self._unreadable = 0
        nobodys = tenant_keys("").ledger
        # Checkpoints travel there. They come last, and only those that were there first: all rows that they
        # cover have then been moved, and an audit never sees a checkpoint before its rows.
        latest = await self._redis.execute("XREVRANGE", nobodys, "+", "-", "COUNT", 1)
        streams = [tenant_keys(tenant).ledger for tenant in await self._tenants() if tenant]
        moved = await self._move_streams(streams, b"+")
        if latest:
            moved += await self._move_streams([nobodys], latest[0][0])
        self.lag = self._unreadable
        if not self._unreadable:
            self.trouble = ""
        return moved

    async def _move_streams(self, streams: list[str], end: bytes) -> int:
        moved, pile = 0, _Pile()
        for stream in streams:
            async for page in self._pages(stream, end):
                pile.add(stream, page)
                if len(pile.rows) >= _BATCH:
                    moved += await self._keep(pile)
                    pile = _Pile()
        return moved + await self._keep(pile)

    async def _keep(self, pile: _Pile) -> int:
        """Commits the pile and forgets it in Redis; how many rows. Those that cannot be stored stay where
        they are."""
        if not pile.rows:
            return 0
        try:
            await self._store.append(pile.rows)
            bad: set[int] = set()
        except ValueError:
            bad = await self._append_singly(pile.rows)
        kept = [row for place, row in enumerate(pile.rows) if place not in bad]
        await self._learn_keys(kept)
        await self._last_used.learn(kept)
        done: dict[str, list[bytes]] = {}
        for number, (stream, place) in enumerate(pile.places):
            if number not in bad:
                done.setdefault(stream, []).append(place)
        for stream, places in done.items():
            await self._redis.execute("XDEL", stream, *places)
        return len(pile.rows) - len(bad)

    async def _append_singly(self, rows: list[SealedRow]) -> set[int]:
        """After a batch was refused for what is in it. The places of the rows that are to blame."""
        bad = set()
        for place, row in enumerate(rows):
            try:
                await self._store.append([row])
            except ValueError as error:
                bad.add(place)
                self._unreadable += 1
                self.trouble = f"a row in Redis cannot be read: {error}"
        return bad

    async def _learn_keys(self, rows: list[SealedRow]) -> None:
        for token in (opened(row.body).checkpoint for row in rows if b'"checkpoint":"' in row.body):
            key = key_of(token)
            if key is not None and key.kid not in self._known_keys:
                seen = SigningKey(kid=key.kid, issuer=key.issuer, jwk=key.jwk, seen_at=self._clock.now_us())
                await self._store.add_signing_key(seen)
                self._known_keys.add(key.kid)

    async def _pages(self, stream: str, end: bytes) -> AsyncIterator[list[Any]]:
        start = b"-"
        while True:
            await self._leads_now()  # a long pass must not lose the lead
            page = await self._redis.execute("XRANGE", stream, start, end, "COUNT", _PAGE)
            if page:
                yield page
                start = b"(" + page[-1][0]
            if len(page) < _PAGE:
                return
            if end == b"+":
                # What comes while we move is the next round's: one busy tenant must not keep the others
                # waiting.
                latest = await self._redis.execute("XREVRANGE", stream, "+", "-", "COUNT", 1)
                end = latest[0][0] if latest else page[-1][0]

    async def _tenants(self) -> list[str]:
        names: list[bytes] = await self._redis.execute("SMEMBERS", TENANTS)
        self._tenant_count = len(names)
        return sorted(name.decode(errors="surrogatepass") for name in names)

    async def _waiting(self) -> int:
        try:
            streams = [tenant_keys(tenant).ledger for tenant in {"", *await self._tenants()}]
            return sum([await self._redis.execute("XLEN", stream) for stream in streams])
        except Unavailable:
            return self.lag

    async def _leads_now(self) -> bool:
        now = self._clock.monotonic()
        if self._leads and now - self._led_at < _RENEW_SECONDS:
            return True
        self._led_at = now
        if self._leads:
            self._leads = bool(await self._redis.run(_RENEW, [_LEADER], [self._token, _LEADER_MS]))
        if not self._leads:
            taken = await self._redis.execute("SET", _LEADER, self._token, "NX", "PX", _LEADER_MS)
            self._leads = taken is not None
        return self._leads

    async def _resign(self) -> None:
        if self._leads:
            with contextlib.suppress(Unavailable):
                await self._redis.run(_RELEASE, [_LEADER], [self._token])
            self._leads = False
