"""How a client is told that its user has to consent: as the client's own era and abilities want it."""

import asyncio

import pytest
from mcp import MCPError
from mcp.client.session import ElicitationFnT
from mcp_types import ElicitRequestURLParams, ElicitResult

from tests.mcp_gateway.credentials.conftest import LINK, Browser, Connected, browsing


def _person(browser: Browser, *, allows: bool) -> ElicitationFnT:
    """Somebody who opens links that their client shows them."""

    async def answer(context: object, params: object) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        assert "docs" in params.message
        if allows:
            await browser.allow(params.url)
        return ElicitResult(action="accept" if allows else "decline")

    return answer


async def test_a_client_of_the_stateless_era_follows_the_link_and_the_call_goes_on(
    connected: Connected,
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        person = _person(browser, allows=True)
        async with gateway.client("2026-07-28", elicitation_callback=person) as client:
            answer = await client.call_tool("docs__whoami", {})
    assert answer.content[0].text == "alice@example.com"  # type: ignore[union-attr]
    assert len(browser.pages) == 3


async def test_a_client_of_the_session_era_is_told_by_the_error_that_it_knows(connected: Connected) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        person = _person(browser, allows=True)
        async with gateway.client("legacy", elicitation_callback=person) as client:
            with pytest.raises(MCPError) as caught:
                await client.call_tool("docs__whoami", {})
            assert caught.value.error.code == -32042
            [link] = caught.value.error.data["elicitations"]
            assert link["mode"] == "url"
            await browser.allow(link["url"])
            answer = await client.call_tool("docs__whoami", {})
    assert answer.content[0].text == "alice@example.com"  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_client_that_follows_no_links_reads_one(connected: Connected, mode: str) -> None:
    async with connected() as gateway, gateway.client(mode) as client:
        answer = await client.call_tool("docs__whoami", {})
    assert answer.is_error
    assert LINK.search(answer.content[0].text)  # type: ignore[union-attr]


async def test_a_user_who_does_not_want_to_is_not_asked_for_ever(connected: Connected) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        person = _person(browser, allows=False)
        async with gateway.client("2026-07-28", elicitation_callback=person) as client:
            answer = await client.call_tool("docs__whoami", {})
    assert answer.is_error


async def test_a_call_waits_for_a_user_who_is_on_the_way(connected: Connected) -> None:
    """Most clients say `accept` when the link has been opened, not when all is done there."""
    rounds = 0
    async with connected() as gateway, browsing(gateway) as browser, asyncio.TaskGroup() as later:

        async def person(context: object, params: object) -> ElicitResult:
            nonlocal rounds
            rounds += 1
            assert isinstance(params, ElicitRequestURLParams)
            later.create_task(browser.allow(params.url))
            return ElicitResult(action="accept")

        async with gateway.client("2026-07-28", elicitation_callback=person) as client:
            answer = await client.call_tool("docs__whoami", {})
    assert answer.content[0].text == "alice@example.com"  # type: ignore[union-attr]
    assert rounds == 1
