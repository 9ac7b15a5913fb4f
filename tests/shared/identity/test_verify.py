"""When a good token is good: its time, its audience, its issuer's keys through rotation and outages."""

from typing import Any

import pytest

from shared.errors import Unauthenticated, Unavailable
from shared.http_client import HttpClient
from shared.identity.signing import OVERLAP_SECONDS, Signer
from shared.identity.token import IDENTITY
from shared.identity.verify import Verifier
from tests.shared.identity import forge
from tests.shared.identity.world import World
from tests.support.wait import eventually


async def test_a_good_token_is_verified_and_remembered(world: World) -> None:
    token = world.token()
    first = await world.verify(token)
    assert first["sub"] == "user:alice"
    assert await world.verify(token) == first


async def test_an_expired_token_is_refused_after_five_seconds_of_grace(world: World) -> None:
    token = world.token()
    world.clock.advance(64.9)
    await world.verify(token)
    world.clock.advance(0.1)
    await world.refuses(token, "expired")


async def test_what_is_remembered_still_expires(world: World) -> None:
    token = world.token(exp=int(world.clock.now()) + 10)
    await world.verify(token)
    world.clock.advance(15)
    await world.refuses(token, "expired")


async def test_a_token_from_the_future_is_refused(world: World) -> None:
    now = int(world.clock.now())
    await world.verify(world.token(iat=now + 5))
    await world.verify(world.token(nbf=now + 5))
    await world.refuses(world.token(iat=now + 6), "not valid yet")
    await world.refuses(world.token(nbf=now + 6), "not valid yet")


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["9999999999", 1.9e9, True, [], {}, "", [9_999_999_999]], ids=repr)
async def test_times_are_whole_numbers(world: World, name: str, value: Any) -> None:
    await world.refuses(world.token(**{name: value}), f"{name} is not a whole number")


async def test_a_token_without_an_end_or_a_beginning_is_refused(world: World) -> None:
    await world.refuses(world.token(exp=None), "exp")
    await world.refuses(world.token(iat=None), "iat")


@pytest.mark.parametrize(
    "audience", ["mcp_gateway", "LLM_GATEWAY", "llm_gateway ", "", ["llm_gateway"], None, 5, True, {}]
)
async def test_the_audience_is_exactly_us(world: World, audience: Any) -> None:
    await world.refuses(world.token(aud=audience), "another service")


async def test_a_token_replayed_at_another_service_is_refused_even_when_remembered(world: World) -> None:
    token = world.token()
    await world.verify(token)
    await world.refuses(token, "another service", audience="mcp_gateway")
    await world.verify(token)


async def test_a_token_refused_for_another_service_is_still_good_for_its_own(world: World) -> None:
    token = world.token()
    await world.refuses(token, audience="mcp_gateway")
    await world.verify(token)


async def test_rotation_leaves_no_gap(world: World) -> None:
    old, before = world.edge.kid, world.token()
    await world.verify(before)
    new = world.edge.rotate()
    world.publish(world.edge)
    for _ in range(0, OVERLAP_SECONDS + 120, 20):
        world.clock.advance(20)
        await world.verify(world.token())
    assert world.edge.kid == new != old
    header = {"alg": "ES256", "typ": IDENTITY, "kid": old}
    late = forge.token(header, forge.identity(world.clock), world.edge._keys[0].private)
    await world.verify(late)


async def test_a_key_that_was_taken_back_ends_what_it_signed(world: World) -> None:
    stolen = world.token(exp=int(world.clock.now()) + 3600)
    await world.verify(stolen)
    fresh = Signer("api_gateway", clock=world.clock)
    world.publish(fresh)
    world.clock.advance(301)

    async def refused() -> bool:
        try:
            await world.verify(stolen)
        except Unauthenticated:
            return True
        return False

    await eventually(refused, "the keys are refreshed behind the request that found them old")
    await world.verify(world.token(fresh))


async def test_an_issuer_that_is_gone_means_nobody_can_tell(world: World) -> None:
    token = world.token()
    (world.directory / "api_gateway").unlink()
    with pytest.raises(Unavailable):
        await world.verify(token)
    await world.refuses(world.token(Signer("stranger", clock=world.clock)))


async def test_the_last_good_keys_serve_until_the_hard_limit(world: World) -> None:
    await world.verify(world.token())
    (world.directory / "api_gateway").unlink()
    world.clock.advance(3600)
    await world.verify(world.token())
    world.clock.advance(1)
    with pytest.raises(Unavailable):
        await world.verify(world.token())


async def test_our_own_keys_need_no_fetching(world: World) -> None:
    verifier = Verifier({}, http=HttpClient(), clock=world.clock, own=world.edge)
    assert (await verifier.verify(world.token(), audience="llm_gateway", typ=IDENTITY))[
        "iss"
    ] == "api_gateway"
    with pytest.raises(Unauthenticated, match="issuer"):
        await verifier.verify(world.token(world.agents), audience="llm_gateway", typ=IDENTITY)


async def test_the_memo_is_bounded_and_can_be_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.identity.verify._MEMO_SIZE", 3)
    tokens = [world.token(jti=str(number)) for number in range(5)]
    for token in tokens:
        await world.verify(token)
    assert len(world.verifier._memo) == 3
    world.verifier.forget()
    assert not world.verifier._memo
    await world.verify(tokens[0])


async def test_the_memo_cannot_be_poisoned_through_what_it_hands_out(world: World) -> None:
    token = world.token()
    (await world.verify(token))["sub"] = "user:root"
    (await world.verify(token))["sub"] = "user:root"
    assert (await world.verify(token))["sub"] == "user:alice"
