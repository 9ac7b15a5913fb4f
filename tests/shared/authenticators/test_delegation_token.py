"""What an agent calls back with: whose chain it is, and what it can not be made into."""

import msgspec
import pytest

from shared.errors import Unauthenticated
from shared.identity.signing import Signer
from shared.identity.token import IDENTITY
from tests.shared.authenticators.world import World, ask


async def test_an_agent_acts_in_the_chain_that_its_token_names(world: World) -> None:
    caller = await ask(world.at_the_edge, {"authorization": f"Bearer {world.delegation_token()}"})
    assert caller.principal.sub == "user:alice"
    assert (caller.actors, caller.chain, caller.parent) == (
        ("user:alice", "agent:planner"),
        "c" * 26,
        "f" * 26,
    )
    assert (caller.credential, caller.key, caller.depth) == ("delegation", world.record.id, 1)
    assert caller.trace is not None


async def test_only_the_agent_gateway_may_delegate(world: World) -> None:
    for signer in (world.edge, world.tools, Signer("stranger", clock=world.clock)):
        with pytest.raises(Unauthenticated, match="issuer"):
            await ask(world.at_the_edge, {"x-api-key": world.delegation_token(signer)})


async def test_other_tokens_of_the_same_issuer_are_no_delegation(world: World) -> None:
    for typ in (IDENTITY, "checkpoint+jwt", "JWT"):
        with pytest.raises(Unauthenticated, match="type"):
            await ask(world.at_the_edge, {"x-api-key": world.delegation_token(typ=typ)})


async def test_an_expired_delegation_is_refused(world: World) -> None:
    token = world.delegation_token()
    await ask(world.at_the_edge, {"x-api-key": token})
    world.clock.advance(905)
    with pytest.raises(Unauthenticated, match="expired"):
        await ask(world.at_the_edge, {"x-api-key": token})


async def test_a_chain_ends_with_the_key_that_it_was_started_with(world: World) -> None:
    token = world.delegation_token()
    await ask(world.at_the_edge, {"x-api-key": token})
    world.keyring.replace([msgspec.structs.replace(world.record, revoked_at=world.clock.now_us())])
    with pytest.raises(Unauthenticated, match="revoked"):
        await ask(world.at_the_edge, {"x-api-key": token})
    world.keyring.replace([])
    with pytest.raises(Unauthenticated, match="no longer exists"):
        await ask(world.at_the_edge, {"x-api-key": token})


async def test_a_chain_that_no_key_has_started_needs_none(world: World) -> None:
    caller = await ask(world.at_the_edge, {"x-api-key": world.delegation_token(key="")})
    assert caller.key == ""
