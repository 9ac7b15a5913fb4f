"""A user's own account at a server: connected once in a browser, used by nobody else, renewed while it
lasts.
"""

from tests.mcp_gateway.credentials.conftest import Connected, browsing, link_for
from tests.support.authorization_server import AuthorizationServer
from tests.support.protected_server import ProtectedServer
from tests.support.serve import someone


async def test_a_call_without_a_grant_says_where_to_get_one_and_works_afterwards(
    connected: Connected, authority: AuthorizationServer
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        done = await browser.allow(await link_for(gateway))
        assert done.status_code == 200
        assert "user:alice is connected to docs" in done.text
        assert (await gateway.call("docs__whoami")).text == "alice@example.com"
        [asked] = authority.authorized
        assert asked["code_challenge_method"] == "S256"
        assert asked["resource"].endswith("/mcp")


async def test_nobody_uses_what_somebody_else_has_allowed(
    connected: Connected, protected: ProtectedServer, authority: AuthorizationServer
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
        for other in (someone("user:bob"), someone("user:alice", tenant="other")):
            await link_for(gateway, other)
        authority.user = "bob@example.com"
        await browser.allow(await link_for(gateway, someone("user:bob")))
        assert (await gateway.call("docs__whoami", caller=someone("user:bob"))).text == "bob@example.com"
        assert (await gateway.call("docs__whoami")).text == "alice@example.com"
