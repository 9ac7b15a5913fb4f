"""What is sealed opens in its own place, unchanged, with a key that is known: and nowhere else."""

import base64

import pytest

from shared.identity.sealed import SealBroken, Sealer

ONE, TWO = (base64.b64encode(bytes([byte]) * 32).decode() for byte in (1, 2))


def test_what_was_sealed_opens_again_and_looks_different_every_time() -> None:
    sealer = Sealer([ONE])
    first, second = sealer.seal(b"secret", "a"), sealer.seal(b"secret", "a")
    assert first != second
    assert b"secret" not in first
    assert sealer.open(first, "a").plain == sealer.open(second, "a").plain == b"secret"
    assert not sealer.open(first, "a").stale


@pytest.mark.parametrize("place", [(), ("a",), ("b", "a"), ("ab",), ("a", "b", ""), ("a|b",)])
def test_it_opens_in_its_own_place_only(place: tuple[str, ...]) -> None:
    sealer = Sealer([ONE])
    with pytest.raises(SealBroken):
        sealer.open(sealer.seal(b"secret", "a", "b"), *place)


def test_no_byte_of_it_can_be_changed_or_cut_off() -> None:
    sealer = Sealer([ONE])
    sealed = sealer.seal(b"secret", "a")
    changed = [sealed[:n] + bytes([sealed[n] ^ 1]) + sealed[n + 1 :] for n in range(len(sealed))]
    for wrong in (*changed, *(sealed[:n] for n in range(len(sealed))), sealed + b"x"):
        with pytest.raises(SealBroken):
            sealer.open(wrong, "a")


def test_the_first_key_seals_and_every_key_opens() -> None:
    old = Sealer([ONE]).seal(b"secret", "a")
    both = Sealer([TWO, ONE])
    opened = both.open(old, "a")
    assert (opened.plain, opened.stale) == (b"secret", True)
    assert not Sealer([TWO]).open(both.seal(b"x", "a"), "a").stale
    with pytest.raises(SealBroken):
        Sealer([TWO]).open(old, "a")


@pytest.mark.parametrize("key", ["", "short", base64.b64encode(b"x" * 31).decode(), "é" * 44, ONE + "AAAA"])
def test_what_is_no_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="32 random bytes") as caught:
        Sealer([key])
    assert not key or key not in str(caught.value)
    with pytest.raises(ValueError, match="at least one"):
        Sealer([])
