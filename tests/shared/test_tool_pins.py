"""Pins of tools in Redis: first sight, approval, and what replicas do to each other."""

import asyncio

import pytest

from shared.clock import Clock
from shared.errors import NotFound
from shared.redis_client import Redis
from shared.tool_pins import Pin, ToolPins, Waiting, difference
from tests.support.valkey import redis, valkey

__all__ = ["redis", "valkey"]


@pytest.fixture
def pins(redis: Redis) -> ToolPins:
    return ToolPins(redis, Clock())


def _waiting(definition: bytes = b'{"name":"a"}', digest: str = "d2") -> Waiting:
    return Waiting(tool="a", digest=digest, definition=definition, findings=("tool:changed",))


async def test_the_first_replica_pins_and_the_second_is_told_to_look_again(pins: ToolPins) -> None:
    assert await pins.record("s", {"a": ("d1", b"{}")}, {})
    assert not await pins.record("s", {"a": ("d2", b"{}")}, {})
    assert (await pins.pins("s"))["a"].digest == "d1"


async def test_servers_keep_to_themselves(pins: ToolPins) -> None:
    await pins.record("s", {"a": ("d1", b"{}")}, {})
    await pins.record("t", {}, {"a": _waiting()})
    assert await pins.pins("t") == {}
    assert [review.server for review in await pins.reviews()] == ["t"]


async def test_what_waits_no_more_is_forgotten(pins: ToolPins) -> None:
    await pins.record("s", {}, {"a": _waiting()})
    await pins.record("s", {}, {})
    assert await pins.reviews() == []


async def test_of_two_who_approve_at_once_one_is_told_that_it_is_done(pins: ToolPins) -> None:
    await pins.record("s", {"a": ("d1", b"{}")}, {"a": _waiting()})
    both = (pins.approve("s", "a", "d2", who) for who in ("user:x", "user:y"))
    found = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["NotFound", "Pin"]
    assert (await pins.pins("s"))["a"].digest == "d2"


async def test_a_definition_that_has_changed_once_more_is_not_approved(pins: ToolPins) -> None:
    await pins.record("s", {}, {"a": _waiting(digest="d3")})
    with pytest.raises(NotFound):
        await pins.approve("s", "a", "d2", "user:x")


async def test_a_huge_definition_is_known_by_its_digest_alone(pins: ToolPins) -> None:
    await pins.record("s", {"a": ("d1", b'"' + b"x" * 100_000 + b'"')}, {})
    pin = (await pins.pins("s"))["a"]
    assert (pin.digest, pin.definition) == ("d1", b"")


def test_a_difference_shows_what_nobody_could_see() -> None:
    pin = Pin(digest="d1", definition=b'{"description":"Adds"}', at=0)
    lines = difference(pin, _waiting('{"description":"Adds\u200b\u202e"}'.encode()))
    [added] = [line for line in lines if line.startswith("+ ")]
    assert added.endswith('"Adds\\u{200b}\\u{202e}"')
    assert difference(None, _waiting())[2].startswith("@@ -0,0")
