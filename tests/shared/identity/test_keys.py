"""Keys: found by their secret, refused with the reason when they are dead, replaced as a whole."""

import re

import msgspec
import pytest

from shared.errors import Unauthenticated, Unavailable
from shared.identity.keys import KeyRecord, Keyring, hash_of, new_key, rotated
from shared.identity.principal import ChainBudget
from tests.support.clock import FakeClock


def record(**more: object) -> tuple[str, KeyRecord]:
    secret, fields = new_key()
    return secret, msgspec.convert({**fields, "sub": "user:alice", "tenant": "acme", **more}, KeyRecord)


def test_a_new_secret_is_long_random_and_easy_to_recognise() -> None:
    secrets = {new_key()[0] for _ in range(100)}
    assert len(secrets) == 100
    assert all(re.fullmatch(r"gsk_[A-Za-z0-9_-]{43}", secret) for secret in secrets)


def test_only_the_hash_of_a_secret_is_kept() -> None:
    secret, fields = new_key()
    kept = KeyRecord(**fields, sub="user:alice", tenant="acme")
    assert kept.hash == hash_of(secret)
    assert secret not in str(kept)
    assert secret[4:] not in msgspec.json.encode(kept).decode()


def test_a_key_is_found_by_its_secret() -> None:
    secret, kept = record()
    ring = Keyring(FakeClock(), [kept, record()[1]])
    assert ring.find(secret) is kept
    assert ring.find(secret + "x") is None
    assert ring.find(kept.hash) is None
    assert ring.find("\ud800") is None


def test_an_expired_key_is_refused_with_its_reason() -> None:
    clock = FakeClock()
    secret, kept = record(expires_at=clock.now_us() + 1_000_000)
    ring = Keyring(clock, [kept])
    assert ring.find(secret) is kept
    ring.check(kept.id)
    clock.advance(1)
    with pytest.raises(Unauthenticated, match="expired"):
        ring.find(secret)
    with pytest.raises(Unauthenticated, match="expired"):
        ring.check(kept.id)
    assert not ring.revoked(kept.id)


@pytest.mark.parametrize("ahead", [-1_000_000, 0, 3_600_000_000])
def test_a_revoked_key_is_refused_even_where_the_clock_of_who_revoked_it_is_ahead(ahead: int) -> None:
    clock = FakeClock()
    secret, kept = record(revoked_at=clock.now_us() + ahead)
    ring = Keyring(clock, [kept])
    with pytest.raises(Unauthenticated, match="revoked"):
        ring.find(secret)
    with pytest.raises(Unauthenticated, match="revoked"):
        ring.check(kept.id)
    assert ring.revoked(kept.id)
    assert not ring.revoked("another")


def test_an_unknown_key_cannot_keep_a_chain_going() -> None:
    with pytest.raises(Unauthenticated, match="no longer exists"):
        Keyring(FakeClock(), []).check("gone")


def test_before_the_keys_are_there_nobody_can_tell() -> None:
    ring = Keyring(FakeClock())
    with pytest.raises(Unavailable):
        ring.find("gsk_x")
    with pytest.raises(Unavailable):
        ring.check("k")
    ring.apply(b"[]", 1)
    assert ring.find("gsk_x") is None


def test_a_snapshot_replaces_all_keys() -> None:
    (old_secret, old), (new_secret, new) = record(), record(scope=["model:*"], budget={"micros": 5})
    ring = Keyring(FakeClock(), [old])
    ring.apply(msgspec.json.encode([new]), 7)
    assert ring.epoch == 7
    assert ring.find(old_secret) is None
    found = ring.find(new_secret)
    assert found == new
    assert found is not None
    assert (found.scope, found.budget) == (("model:*",), ChainBudget(micros=5))


@pytest.mark.parametrize("payload", [b"", b"{}", b'[{"id":1}]', b"[1]", b"\xff"])
def test_a_payload_that_is_no_list_of_keys_changes_nothing(payload: bytes) -> None:
    secret, kept = record()
    ring = Keyring(FakeClock(), [kept])
    with pytest.raises(ValueError):  # noqa: PT011  whatever it says
        ring.apply(payload, 2)
    assert ring.find(secret) is kept
    assert ring.epoch == 0


def test_after_a_rotation_both_secrets_are_one_key_until_the_overlap_ends() -> None:
    clock = FakeClock()
    old, kept = record()
    new, changed = rotated(kept, clock.now_us() + 60_000_000)
    ring = Keyring(clock, [changed])
    assert changed.id == kept.id
    assert ring.find(old) is ring.find(new) is changed
    clock.advance(60)
    assert ring.find(new) is changed
    with pytest.raises(Unauthenticated, match="rotated"):
        ring.find(old)
    ring.check(kept.id)
    newest, again = rotated(changed, clock.now_us() + 60_000_000)
    ring.replace([again])
    assert ring.find(newest) is ring.find(new) is again
    assert ring.find(old) is None
