"""A key starts a chain: as whom, with what budget, and when it does not."""

import pytest

from shared.errors import Unauthenticated
from shared.identity.principal import ChainBudget, Principal
from tests.shared.authenticators.world import World, ask


async def test_a_key_names_its_principal_and_starts_a_chain(world: World) -> None:
    first = await ask(world.at_the_edge, {"x-api-key": world.secret})
    second = await ask(world.at_the_edge, {"x-api-key": world.secret})
    assert first.principal == Principal(sub="user:alice", tenant="acme", team="support", scope=("model:*",))
    assert (first.actors, first.depth, first.hop, first.parent) == (("user:alice",), 0, 0, "")
    assert (first.key, first.credential, first.trace) == (world.record.id, "key", None)
    assert first.chain
    assert first.chain != second.chain


async def test_a_chains_budget_is_the_narrower_of_the_keys_and_the_configured_one(world: World) -> None:
    caller = await ask(world.at_the_edge, {"x-api-key": world.secret})
    assert caller.budget == ChainBudget(micros=9, tool_calls=5)


@pytest.mark.parametrize(
    "secret", ["gsk_", "gsk_" + "a" * 43, "gsk_" + "a" * 10_000, "gsk_\xff", "gsk_a.b.c"]
)
async def test_a_key_that_nobody_made_is_refused(world: World, secret: str) -> None:
    with pytest.raises(Unauthenticated):
        await ask(world.at_the_edge, {"x-api-key": secret})


async def test_a_keys_hash_or_id_is_no_key(world: World) -> None:
    for text in (world.record.hash, f"gsk_{world.record.hash}", world.record.id, f"gsk_{world.record.id}"):
        with pytest.raises(Unauthenticated):
            await ask(world.at_the_edge, {"x-api-key": text})


async def test_a_refusal_does_not_show_the_secret(world: World) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await ask(world.at_the_edge, {"x-api-key": "gsk_mistyped"})
    assert "mistyped" not in caught.value.detail
