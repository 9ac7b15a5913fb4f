"""What somebody tries who wants another's account, another's code, or a browser sent elsewhere."""

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.mcp_gateway.credentials.conftest import Browser, Connected, browsing, link_for
from tests.mcp_gateway.gateway import Gateway
from tests.support.authorization_server import AuthorizationServer
from tests.support.serve import someone


async def _back(browser: Browser, gateway: Gateway) -> str:
    """The address that brings a browser back from the authorization server, not opened yet."""
    confirmed = await browser.confirm(await browser.open(await link_for(gateway)))
    return await browser.sign_in(confirmed)


def _changed(address: str, **values: str | None) -> str:
    parts = urlsplit(address)
    query = {name: found[0] for name, found in parse_qs(parts.query).items()}
    kept = {name: value for name, value in (query | values).items() if value is not None}
    return parts._replace(query=urlencode(kept)).geturl()


async def _nothing_came_of_it(gateway: Gateway, authority: AuthorizationServer) -> None:
    assert "authorization_code" not in authority.grants
    await link_for(gateway)


async def test_a_link_is_good_once(connected: Connected) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        link = await link_for(gateway)
        page = await browser.open(link)
        assert (await browser.confirm(page)).status_code == 303
        assert (await browser.confirm(page)).status_code == 404
        assert (await browser.open(link)).status_code == 404


async def test_a_state_is_good_once_and_in_one_place_only(
    connected: Connected, authority: AuthorizationServer
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        back = await _back(browser, gateway)
        assert (await browser.open(back.replace("/callback/docs", "/callback/other"))).status_code == 404
        assert (await browser.open(back)).status_code == 404
        await _nothing_came_of_it(gateway, authority)
        back = await _back(browser, gateway)
        assert (await browser.open(back)).status_code == 200
        assert (await browser.open(back)).status_code == 404


async def test_a_way_ends_in_the_browser_in_which_it_began(
    connected: Connected, authority: AuthorizationServer
) -> None:
    """Mallory begins, and leads Alice to the authorization server's page or back from it."""
    async with connected() as gateway, browsing(gateway) as mallory, browsing(gateway) as alice:
        back = await _back(mallory, gateway)
        assert (await alice.open(back)).status_code == 403
        await _nothing_came_of_it(gateway, authority)
        # Nor with a cookie of her own, from another page of ours.
        back = await _back(mallory, gateway)
        await alice.open(await link_for(gateway))
        assert (await alice.open(back)).status_code == 403
        await _nothing_came_of_it(gateway, authority)


async def test_another_page_cannot_confirm(connected: Connected, authority: AuthorizationServer) -> None:
    async with connected() as gateway, browsing(gateway) as mallory, browsing(gateway) as alice:
        link = await link_for(gateway)
        seen_by_mallory = await mallory.open(link)
        # Her own browser has never seen the page, and then one of hers that was about something else.
        assert (await alice.confirm(seen_by_mallory)).status_code == 403
        await alice.open(await link_for(gateway, someone("user:bob")))
        assert (await alice.confirm(seen_by_mallory)).status_code == 403
        page = await alice.open(link)
        alice.http.headers["origin"] = "https://evil.example"
        assert (await alice.confirm(page)).status_code == 403
        assert authority.authorized == []


@pytest.mark.parametrize("iss", [None, "https://evil.example"])
async def test_an_answer_from_another_authorization_server_is_not_believed(
    connected: Connected, authority: AuthorizationServer, iss: str | None
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        assert (await browser.open(_changed(await _back(browser, gateway), iss=iss))).status_code == 403
        await _nothing_came_of_it(gateway, authority)


async def test_a_code_of_somebody_elses_way_is_worth_nothing(
    connected: Connected, authority: AuthorizationServer
) -> None:
    """Mallory puts the code that he got for his account into Alice's way, and the other way round."""
    async with connected() as gateway, browsing(gateway) as mallory, browsing(gateway) as alice:
        stolen = parse_qs(urlsplit(await _back(mallory, gateway)).query)["code"][0]
        answer = await alice.open(_changed(await _back(alice, gateway), code=stolen))
        assert answer.status_code == 502
        await link_for(gateway)
        assert authority.tokens == {}


@pytest.mark.parametrize("change", [{"code": None}, {"code": ""}, {"error": "access_denied"}])
async def test_an_answer_without_a_code_connects_nobody(
    connected: Connected, authority: AuthorizationServer, change: dict[str, str | None]
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        assert (await browser.open(_changed(await _back(browser, gateway), **change))).status_code in (
            400,
            403,
        )
        await _nothing_came_of_it(gateway, authority)


async def test_nothing_in_an_answer_leads_the_browser_elsewhere_or_into_the_page(
    connected: Connected, authority: AuthorizationServer
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        back = await _back(browser, gateway)
        evil = '"><script>alert(1)</script>'
        page = await browser.open(
            _changed(back, error=evil, error_description=evil, error_uri="https://e.example")
        )
        assert page.status_code == 403
        assert "<script>" not in page.text
        assert "e.example" not in page.text
        doubled = await browser.open(back + "&code=other")
        assert doubled.status_code == 404
        for page in browser.pages:
            if page.status_code == 303:
                assert page.headers["location"].startswith(f"{authority.url}/authorize?")
            else:
                assert "location" not in page.headers


async def test_the_page_says_who_asks_for_what_and_runs_nothing(connected: Connected) -> None:
    asks = someone("user:alice", "agent:<b>planner</b>")
    async with connected(credential={"scopes": ["read", 'wri"te']}) as gateway, browsing(gateway) as browser:
        page = await browser.open(await link_for(gateway, asks))
        for told in ("user:alice", "tenant acme", "agent:&lt;b&gt;planner", "read wri&quot;te", "docs"):
            assert told in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script" not in policy + page.text
        assert page.headers["cache-control"] == "no-store"
        cookie = page.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie


async def test_a_made_up_link_and_a_made_up_way_are_nothing(connected: Connected) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        for path in (
            "consent?link=x",
            "consent?link=",
            "consent",
            "callback/docs?state=x&code=y",
            "clients/other",
        ):
            assert (await browser.open(f"http://127.0.0.1/oauth/{path}")).status_code == 404
        # A link is no state and a state is no link.
        link = parse_qs(urlsplit(await link_for(gateway)).query)["link"][0]
        assert (await browser.open(f"http://x/oauth/callback/docs?state={link}&code=x")).status_code == 404


async def test_whoever_is_stopped_does_not_connect_either(connected: Connected) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        link = await link_for(gateway)
        back = await _back(browser, gateway)
        await gateway.edge.kill(gateway.service.parts, user="user:alice")
        assert (await browser.open(link)).status_code == 403
        assert (await browser.open(back)).status_code == 403


async def test_an_agent_cannot_take_back_what_its_user_has_allowed(connected: Connected) -> None:
    agent = someone("user:alice", "agent:planner")
    async with connected() as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
        grants: dict[str, Any] = {"path": "/oauth/grants/docs", "caller": agent}
        assert (await gateway.send(method="DELETE", **grants)).status == 403
        assert (await gateway.send(method="POST", **grants)).status == 403
        assert (await gateway.call("docs__whoami", caller=agent)).text == "alice@example.com"
