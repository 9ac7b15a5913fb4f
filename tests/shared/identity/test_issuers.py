"""Identity providers over a real socket: keys that rotate, are slow, away or wrong, and many strangers."""

import asyncio

import pytest

from shared.errors import Unauthenticated, Unavailable
from tests.shared.identity.provided import View
from tests.support.wait import eventually


async def test_a_token_of_a_known_provider_names_a_principal(view: View) -> None:
    async with view.issuers() as issuers:
        found = await issuers.principal(view.idp.token())
        assert found is not None
        assert (found.sub, found.tenant, found.team, found.scope) == (
            "user:alice@example.com",
            "acme",
            "",
            (),
        )


async def test_a_token_of_another_issuer_is_not_ours_to_judge(view: View) -> None:
    async with view.issuers() as issuers:
        assert await issuers.principal(view.idp.token(iss="https://login.example.com")) is None
        assert await issuers.principal(view.idp.token(iss="agent_gateway")) is None
        assert await issuers.principal("a.b.c") is None
    assert view.idp.asked == 0


async def test_calls_that_come_at_once_share_one_fetch(view: View) -> None:
    view.idp.hold.clear()
    async with view.issuers() as issuers:
        waiting = [asyncio.create_task(issuers.principal(view.idp.token(n=n))) for n in range(30)]
        await eventually(lambda: view.idp.asked, "the fetch")
        view.idp.hold.set()
        assert None not in await asyncio.gather(*waiting)
    assert view.idp.asked == 1


async def test_a_new_key_is_found_and_an_old_one_ends_with_its_publication(view: View) -> None:
    idp = view.idp
    async with view.issuers() as issuers:
        before = idp.token()
        assert await issuers.principal(before)
        view.clock.advance(11)
        idp.rotate("one", "two")
        assert await issuers.principal(idp.token(kid="two"))
        with pytest.raises(Unauthenticated, match="signature"):
            await issuers.principal(before)


async def test_a_name_that_stands_for_another_key_ends_what_the_old_one_signed(view: View) -> None:
    idp = view.idp
    async with view.issuers() as issuers:
        before = idp.token()
        assert await issuers.principal(before)
        view.clock.advance(11)
        idp.rotate("one", "one")
        idp.add("two", publish=False)
        with pytest.raises(Unauthenticated):
            await issuers.principal(idp.token(kid="two"))
        with pytest.raises(Unauthenticated, match="signature"):
            await issuers.principal(before)


async def test_keys_are_refreshed_ahead_while_the_old_ones_serve(view: View) -> None:
    async with view.issuers() as issuers:
        assert await issuers.principal(view.idp.token())
        view.clock.advance(301)
        view.idp.hold.clear()
        assert await issuers.principal(view.idp.token())
        await eventually(lambda: view.idp.asked == 2, "the refresh")
        view.idp.hold.set()


async def test_a_flood_of_unknown_keys_asks_the_provider_once(view: View) -> None:
    view.idp.add("secret", publish=False)
    async with view.issuers() as issuers:
        assert await issuers.principal(view.idp.token())
        view.clock.advance(11)
        for number in range(200):
            with pytest.raises(Unauthenticated, match="signature"):
                await issuers.principal(view.idp.token(header={"kid": f"unknown-{number}"}))
    assert view.idp.asked == 2


async def test_through_an_outage_cached_keys_go_on_until_their_hard_limit(view: View) -> None:
    async with view.issuers(keys_hard_limit_seconds=600.0) as issuers:
        assert await issuers.principal(view.idp.token())
        view.idp.down = 503
        view.clock.advance(590)
        assert await issuers.principal(view.idp.token())
        with pytest.raises(Unavailable, match="key that it names"):
            await issuers.principal(view.idp.token(header={"kid": "new"}))
        view.clock.advance(20)
        with pytest.raises(Unavailable):
            await issuers.principal(view.idp.token())
        view.idp.down = 0
        view.clock.advance(1)
        assert await issuers.principal(view.idp.token())


@pytest.mark.parametrize("status", [500, 404, 302, 301])
async def test_what_is_no_key_set_makes_nobody_a_stranger(view: View, status: int) -> None:
    view.idp.down = status
    async with view.issuers() as issuers:
        with pytest.raises(Unavailable):
            await issuers.principal(view.idp.token())


async def test_a_key_set_that_is_too_large_is_not_read(view: View) -> None:
    view.idp.padding = 300_000
    async with view.issuers() as issuers:
        with pytest.raises(Unavailable):
            await issuers.principal(view.idp.token())


async def test_a_discovery_document_must_speak_for_its_own_issuer(view: View) -> None:
    view.idp.calls_itself = "http://127.0.0.1:1"
    async with view.issuers() as issuers:
        with pytest.raises(Unavailable):
            await issuers.principal(view.idp.token())
    async with view.issuers(jwks_url=f"{view.idp.url}/keys") as issuers:
        assert await issuers.principal(view.idp.token())


async def test_discovery_leads_to_no_private_address_that_no_operator_wrote(view: View) -> None:
    view.idp.keys_at = view.idp.url.replace("127.0.0.1", "localhost") + "/keys"
    async with view.issuers() as issuers:
        with pytest.raises(Unavailable):
            await issuers.principal(view.idp.token())
    assert view.idp.asked == 0


async def test_a_verified_token_is_known_until_it_expires_and_no_longer(view: View) -> None:
    token = view.idp.token(exp=int(view.clock.now()) + 40)
    async with view.issuers(leeway_seconds=0) as issuers:
        assert await issuers.principal(token)
        view.clock.advance(39)
        assert await issuers.principal(token)
        view.clock.advance(1)
        with pytest.raises(Unauthenticated, match="expired"):
            await issuers.principal(token)
