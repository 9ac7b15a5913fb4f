"""What one service tells the next: from whom it is taken, for whom it is meant."""

import pytest

from shared.authenticators import Authenticate
from shared.authenticators.identity_token import IdentityToken
from shared.errors import Unauthenticated
from shared.identity.signing import Signer
from tests.shared.authenticators.world import World, ask


async def test_the_caller_is_who_the_edge_says(world: World) -> None:
    caller = await ask(world.inside, {"txn-token": world.identity_token()})
    assert caller.principal.sub == "user:alice"
    assert (caller.credential, caller.hop, caller.parent, caller.chain) == ("identity", 3, "f" * 26, "c" * 26)


async def test_only_the_edge_may_speak_for_callers(world: World) -> None:
    for signer in (world.agents, world.tools, Signer("stranger", clock=world.clock)):
        with pytest.raises(Unauthenticated, match="issuer"):
            await ask(world.inside, {"txn-token": world.identity_token(signer)})


async def test_a_token_for_another_service_is_refused(world: World) -> None:
    token = world.identity_token()
    await ask(world.inside, {"txn-token": token})
    for audience in ("mcp_gateway", "agent_gateway", "api_gateway"):
        other = Authenticate((IdentityToken(world.verifier, audience),))
        with pytest.raises(Unauthenticated, match="another service"):
            await ask(other, {"txn-token": token})


async def test_two_identity_tokens_are_refused(world: World) -> None:
    pair = [("txn-token", world.identity_token()), ("txn-token", world.identity_token(sub="user:bob"))]
    with pytest.raises(Unauthenticated, match="two different"):
        await ask(world.inside, pair)


async def test_an_identity_token_counts_only_in_its_own_header(world: World) -> None:
    with pytest.raises(Unauthenticated, match="no credentials"):
        await ask(world.inside, {"authorization": f"Bearer {world.identity_token()}"})


async def test_a_caller_that_cannot_be_is_refused(world: World) -> None:
    with pytest.raises(Unauthenticated, match="start with sub"):
        await ask(world.inside, {"txn-token": world.identity_token(sub="user:bob")})
