"""Virtual keys: the record that a secret stands for, and the ring that finds it. No secret is stored here."""

import hashlib
import secrets
from collections.abc import Iterable
from typing import TypedDict

import msgspec
from msgspec import Struct

from shared.clock import Clock
from shared.errors import Unauthenticated, Unavailable
from shared.identity.principal import ChainBudget
from shared.ledger.entry import new_id

PREFIX = "gsk_"


class KeyRecord(Struct, frozen=True):
    """What a virtual key names and may spend. `hash`: the secret's SHA-256 in hex. Times in µs; 0: never.

    `limits` are its own, as `shared/limits/own.py` reads them. After a rotation, the secret before
    (`old_hash`) is good until `old_until`.
    """

    id: str
    hash: str
    sub: str
    tenant: str
    team: str = ""
    project: str = ""
    tier: str = ""
    scope: tuple[str, ...] = ()
    budget: ChainBudget = ChainBudget()
    created_at: int = 0
    expires_at: int = 0
    revoked_at: int = 0
    name: str = ""
    old_hash: str = ""
    old_until: int = 0
    limits: tuple[str, ...] = ()


class NewKey(TypedDict):
    """The members of a KeyRecord that come with a new secret."""

    id: str
    hash: str


def new_key() -> tuple[str, NewKey]:
    """A new secret, shown once and never kept, and what is kept of it: `KeyRecord(**fields, sub=…)`."""
    secret = PREFIX + secrets.token_urlsafe(32)
    return secret, {"id": new_id(), "hash": hash_of(secret)}


def rotated(record: KeyRecord, old_until: int) -> tuple[str, KeyRecord]:
    """A new secret for the same key, and its record: the secret until now is good until `old_until` (µs), one
    from a rotation before no longer.
    """
    secret, fields = new_key()
    changed = msgspec.structs.replace(record, hash=fields["hash"], old_hash=record.hash, old_until=old_until)
    return secret, changed


def hash_of(secret: str) -> str:
    # 256 random bits need no salt and no slow hash, and this is asked on every request.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Keyring:
    """All keys by hash, replaced as a whole. Until that has happened once, it can tell nothing."""

    def __init__(self, clock: Clock, records: Iterable[KeyRecord] | None = None) -> None:
        self.epoch = 0
        self._clock = clock
        self._by_hash: dict[str, KeyRecord] | None = None
        self._by_id: dict[str, KeyRecord] = {}
        if records is not None:
            self.replace(records)

    def replace(self, records: Iterable[KeyRecord], epoch: int = 0) -> None:
        by_hash = {record.hash: record for record in records}
        self._by_id = {record.id: record for record in by_hash.values()}
        by_hash |= {record.old_hash: record for record in self._by_id.values() if record.old_hash}
        self._by_hash, self.epoch = by_hash, epoch

    def apply(self, payload: bytes, epoch: int) -> None:
        """Takes over the `keys` snapshot. Raises ValueError where it is none, and keeps what it has."""
        self.replace(msgspec.json.decode(payload, type=list[KeyRecord]), epoch)

    def find(self, secret: str) -> KeyRecord | None:
        """The key with this secret, None where there is none. Raises Unauthenticated on a dead one."""
        if self._by_hash is None:
            raise Unavailable("the keys have not been loaded yet", retry_after=1)
        name = hash_of(secret)
        record = self._by_hash.get(name)
        if record is not None:
            self._refuse_dead(record)
            if name != record.hash and record.old_until <= self._clock.now_us():
                raise Unauthenticated("this key has been rotated: use its new secret")
        return record

    def get(self, key_id: str) -> KeyRecord | None:
        """The key with this id, whatever state it is in."""
        return self._by_id.get(key_id)

    def check(self, key_id: str) -> None:
        """Raises like `find` when what was started with this key may not go on, or when there is none."""
        if self._by_hash is None:
            raise Unavailable("the keys have not been loaded yet", retry_after=1)
        record = self._by_id.get(key_id)
        if record is None:
            raise Unauthenticated("the key that this chain was started with no longer exists")
        self._refuse_dead(record)

    def revoked(self, key_id: str) -> bool:
        """Whether this key is known to be revoked. One that is not known (yet) is not."""
        record = self._by_id.get(key_id)
        return record is not None and record.revoked_at > 0

    def _refuse_dead(self, record: KeyRecord) -> None:
        # Whatever our clock says: another edge's may be ahead of it, and this cannot wait.
        if record.revoked_at:
            raise Unauthenticated("this key has been revoked: ask your operator for a new one")
        if record.expires_at and record.expires_at <= self._clock.now_us():
            raise Unauthenticated("this key has expired: ask your operator for a new one")
