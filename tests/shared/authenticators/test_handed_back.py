"""What gateways hand back to the edge for their callers: the same caller, deeper, and nobody else's word."""

import msgspec
import pytest

from shared.authenticators import Authenticate
from shared.authenticators.handed_back import HandedBack
from shared.clock import Clock
from shared.errors import Unauthenticated
from shared.identity.hand_back import HandBack
from shared.identity.signing import Signer
from tests.shared.authenticators.world import World, ask
from tests.shared.identity import forge


@pytest.fixture
def edge(world: World) -> Authenticate:
    return Authenticate((HandedBack(world.verifier, keyring=world.keyring), world.delegation, world.key))


def handed(world: World, signer: Signer | None = None) -> dict[str, str]:
    caller = msgspec.structs.replace(forge.alice(), key=world.record.id)
    return {"authorization": HandBack(signer or world.tools).bearer(caller, "e" * 26, forge.TRACE)}


@pytest.fixture(autouse=True)
def now(world: World) -> None:
    """What is handed back is signed by the wall clock."""
    world.clock.advance(Clock().now() - world.clock.now())


async def test_it_is_the_very_same_caller_below_the_entry_that_handed_it_back(
    world: World, edge: Authenticate
) -> None:
    alice, caller = forge.alice(), await ask(edge, handed(world))
    assert (caller.principal, caller.actors, caller.chain) == (alice.principal, alice.actors, alice.chain)
    assert (caller.parent, caller.hop, caller.budget) == ("e" * 26, alice.hop + 1, alice.budget)


async def test_other_credentials_go_on_to_whom_they_are_for(world: World, edge: Authenticate) -> None:
    assert (await ask(edge, {"authorization": f"Bearer {world.secret}"})).credential == "key"
    delegated = {"authorization": f"Bearer {world.delegation_token()}"}
    assert (await ask(edge, delegated)).credential == "delegation"
    with pytest.raises(Unauthenticated, match="not a token"):
        await ask(edge, {"authorization": "Bearer e30.e30.e30"})


async def test_only_the_two_gateways_hand_anything_back(world: World, edge: Authenticate) -> None:
    for signer in (world.edge, world.agents):
        with pytest.raises(Unauthenticated, match="may not hand"):
            await ask(edge, handed(world, signer))
    with pytest.raises(Unauthenticated, match="not trusted"):
        await ask(edge, handed(world, Signer("stranger")))


async def test_an_identity_token_for_somebody_else_is_none_for_the_edge(
    world: World, edge: Authenticate
) -> None:
    for signer in (world.edge, world.tools):
        with pytest.raises(Unauthenticated, match="another service"):
            await ask(edge, {"authorization": f"Bearer {world.identity_token(signer)}"})


async def test_a_chain_ends_with_its_key(world: World, edge: Authenticate) -> None:
    token = handed(world)
    world.keyring.replace([])
    with pytest.raises(Unauthenticated, match="no longer exists"):
        await ask(edge, token)
