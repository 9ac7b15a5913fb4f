"""A user's own view of what they have allowed, and how more than that is asked for."""

from tests.mcp_gateway.credentials.conftest import LINK, Connected, browsing, link_for
from tests.mcp_gateway.gateway import rule
from tests.support.authorization_server import AuthorizationServer
from tests.support.protected_server import ProtectedServer
from tests.support.serve import someone

PERSON = {"tenant": "acme", "sub": "user:alice"}


async def test_a_user_sees_connects_and_takes_back_without_a_tool_call(
    connected: Connected, authority: AuthorizationServer
) -> None:
    async with connected(credential={"scopes": ["read"]}) as gateway, browsing(gateway) as browser:
        assert (await gateway.send(method="GET", path="/oauth/grants")).json == [
            {"server": "docs", "connected": False}
        ]
        made = await gateway.send(method="POST", path="/oauth/grants/docs")
        assert made.json["expires_in"] == 600
        await browser.allow(made.json["url"])
        [told] = (await gateway.send(method="GET", path="/oauth/grants")).json
        assert told["connected"] is True
        assert told["scopes"] == ["read"]
        assert told["issuer"] == authority.url
        [refresh] = authority.refreshes
        assert (await gateway.send(method="DELETE", path="/oauth/grants/docs")).status == 204
        assert authority.revoked == [refresh]
        assert (await gateway.send(method="DELETE", path="/oauth/grants/docs")).status == 404
        await link_for(gateway)


async def test_a_server_that_one_may_not_use_is_none_to_connect_to(connected: Connected) -> None:
    rules = [rule("user:alice", "tool:docs/whoami", "invoke")]
    bob = someone("user:bob", team="none")
    async with connected(rules=rules) as gateway:
        assert (await gateway.send(method="POST", path="/oauth/grants/docs")).status == 200
        assert (await gateway.send(method="GET", path="/oauth/grants", caller=bob)).json == []
        refused = await gateway.send(method="POST", path="/oauth/grants/docs", caller=bob)
        unknown = await gateway.send(method="POST", path="/oauth/grants/other", caller=bob)
        assert refused.status == unknown.status == 404
        assert (await gateway.send(method="GET", path="/oauth/grants", identity=False)).status == 401


async def test_what_policy_refuses_is_answered_with_no_link(connected: Connected) -> None:
    async with connected(rules=[rule("user:alice", "tool:docs/whoami", "invoke")]) as gateway:
        heard = await gateway.call("docs__mirror")
        assert "there is no tool" in heard.error["message"]
        assert LINK.search(heard.body.decode()) is None


async def test_a_server_that_wants_more_than_was_allowed_has_its_user_asked_again(
    connected: Connected, authority: AuthorizationServer, protected: ProtectedServer
) -> None:
    async with connected(credential={"scopes": ["read"]}) as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
        protected.needs = "write"
        page = await browser.open(await link_for(gateway))
        assert "read write" in page.text
        await browser.open(await browser.sign_in(await browser.confirm(page)))
        assert (await gateway.call("docs__whoami")).text == "alice@example.com"
        assert authority.authorized[-1]["scope"] == "read write"


async def test_a_server_that_wants_what_was_allowed_already_is_not_asked_about_for_ever(
    connected: Connected, protected: ProtectedServer
) -> None:
    async with connected(credential={"scopes": ["read"]}) as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
        protected.needs = "read admin:unwritable\x7f"
        heard = await gateway.call("docs__whoami")
        assert "403" in heard.error["message"]


async def test_lists_that_need_a_token_are_read_in_the_name_that_the_operator_says(
    connected: Connected, protected: ProtectedServer
) -> None:
    protected.open_lists = False
    async with connected(credential={"catalog_as": PERSON}) as gateway, browsing(gateway) as browser:
        assert await gateway.tools() == []
        await browser.allow((await gateway.send(method="POST", path="/oauth/grants/docs")).json["url"])
        assert set(await gateway.tools()) == {"docs__mirror", "docs__whoami"}
        assert (await gateway.call("docs__whoami")).text == "alice@example.com"
        bob = someone("user:bob")
        assert len(await gateway.tools(caller=bob)) == 2
        await link_for(gateway, bob)
