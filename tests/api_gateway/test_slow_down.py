"""Whoever keeps presenting bad credentials is told to wait, and nobody else is."""

from typing import Any

import pytest

from api_gateway.slow_down import Refused, SlowDown
from shared.authenticators.virtual_key import VirtualKey
from shared.errors import LimitExceeded, Unauthenticated
from shared.identity.keys import KeyRecord, Keyring, new_key
from tests.support.clock import FakeClock
from tests.support.exchange import exchange


class Door:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.secret, fields = new_key()
        ring = Keyring(self.clock, [KeyRecord(**fields, sub="user:alice", tenant="acme")])
        self.refused = Refused(self.clock)
        self.stage = SlowDown([VirtualKey(ring)], refused=self.refused)

    async def knock(self, secret: str, address: str = "192.0.2.1", **headers: str) -> Any:
        one = exchange()
        one.scope["client"] = (address, 4711)
        one.headers = [(b"x-forwarded-for", b"198.51.100.7")] if headers else []
        one.headers += [(b"authorization", f"Bearer {secret}".encode())] if secret else []
        return await self.stage(one)

    async def waits(self, count: int, address: str = "192.0.2.1") -> list[float]:
        """How long `count` wrong keys are told to wait."""
        found: list[float] = []
        for number in range(count):
            with pytest.raises((Unauthenticated, LimitExceeded)) as refused:
                await self.knock(f"gsk_wrong{number}", address)
            found.append(refused.value.retry_after or 0)
        return found


async def test_after_twenty_wrong_keys_each_next_one_waits_longer() -> None:
    waits = await Door().waits(30)
    assert waits == [0] * 20 + [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


async def test_a_good_key_from_the_same_address_is_let_in_at_once_and_clears_nothing() -> None:
    door = Door()
    await door.waits(40)
    assert (await door.knock(door.secret)).actor == "user:alice"
    assert await door.waits(1) == [60]


async def test_other_addresses_have_their_own_count_and_headers_name_none() -> None:
    door = Door()
    await door.waits(25)
    assert await door.waits(1, "192.0.2.2") == [0]
    with pytest.raises(LimitExceeded):
        await door.knock("gsk_wrong", forwarded="yes")


async def test_a_network_of_one_owner_counts_as_one() -> None:
    door = Door()
    for host in range(20):
        await door.waits(1, f"2001:db8::{host:x}")
    assert await door.waits(1, "2001:db8::ffff") == [1]
    assert await door.waits(1, "2001:db8:0:1::1") == [0]


async def test_who_is_quiet_for_a_minute_starts_anew() -> None:
    door = Door()
    await door.waits(25)
    door.clock.advance(60)
    assert await door.waits(2) == [0, 0]


async def test_who_brings_nothing_is_told_what_to_bring_every_time() -> None:
    door = Door()
    for _ in range(50):
        with pytest.raises(Unauthenticated, match="no credentials"):
            await door.knock("")


async def test_however_many_addresses_try_memory_stays_bounded() -> None:
    door = Door()
    for number in range(10_050):
        await door.waits(1, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(door.refused._refused) == 10_000
