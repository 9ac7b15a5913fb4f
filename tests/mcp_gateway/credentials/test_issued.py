"""Tokens that the gateway gets without asking the user: its own, and those it gets for a user by exchange."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import jwt
import msgspec
import pytest

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway
from tests.support.authorization_server import AuthorizationServer
from tests.support.protected_server import ProtectedServer
from tests.support.serve import serving, someone

ENVIRON = {"SECRET": "gateway-secret"}
ALICE = {"tenant": "acme", "sub": "service:catalog"}


def server(
    protected: ProtectedServer, kind: str, authority: AuthorizationServer, **more: Any
) -> dict[str, Any]:
    endpoint = {"url": f"{authority.url}/token", "client_id": "gateway", "client_secret": "${SECRET}"}
    credential = {"type": kind, "token_endpoint": endpoint | more.pop("endpoint", {}), **more}
    return {"transport": {"type": "http", "url": f"{protected.url}/mcp"}, "credential": credential}


def trusts(authority: AuthorizationServer, gateway: Gateway) -> None:
    """The authorization server knows the gateway's keys, as its operator has told it."""
    authority.keys = {
        key["kid"]: jwt.PyJWK(key).key
        for key in msgspec.json.decode(gateway.service.parts.signer.jwks())["keys"]
    }
    gateway.service.app.state.catalog.decided("docs")


@pytest.mark.parametrize("authentication", ["secret_basic", "secret_post", "private_key_jwt"])
async def test_the_gateways_own_token_is_for_this_server_and_asked_for_once(
    opened: Open, protected: ProtectedServer, authority: AuthorizationServer, authentication: str
) -> None:
    protected.open_lists = False
    own = server(
        protected,
        "client_credentials",
        authority,
        scopes=["a", "b"],
        endpoint={"authentication": authentication},
    )
    async with opened({"docs": own}, environ=ENVIRON) as gateway:
        trusts(authority, gateway)
        assert (await gateway.call("docs__whoami")).text == "gateway"
        assert (await gateway.call("docs__whoami", caller=someone("user:bob"))).text == "gateway"
        [asked] = [fields for fields in authority.asked if "whoami" not in fields][-1:]
        assert asked["resource"] == f"{protected.url}/mcp"
        assert asked["scope"] == "a b"
        assert len(authority.tokens) == 1


async def test_a_token_that_is_not_taken_any_more_is_asked_for_again_once(
    opened: Open, protected: ProtectedServer, authority: AuthorizationServer
) -> None:
    own = server(protected, "client_credentials", authority)
    async with opened({"docs": own}, environ=ENVIRON) as gateway:
        assert (await gateway.call("docs__whoami")).text == "gateway"
        authority.tokens.clear()
        assert (await gateway.call("docs__whoami")).text == "gateway"
        protected.told, authority.tokens = {}, _Nothing()
        before = len(authority.asked)
        heard = await gateway.call("docs__whoami")
        assert "401" in heard.error["message"]
        assert len(authority.asked) == before + 1


async def test_an_exchanged_token_is_the_callers_and_nobody_elses(
    opened: Open, protected: ProtectedServer, authority: AuthorizationServer
) -> None:
    own = server(protected, "token_exchange", authority)
    async with opened({"docs": own}, environ=ENVIRON) as gateway:
        trusts(authority, gateway)
        callers = {
            "user:alice": someone("user:alice"),
            "user:bob": someone("user:bob"),
        }
        answers = await asyncio.gather(
            *(gateway.call("docs__whoami", caller=caller) for caller in callers.values() for _ in range(5))
        )
        assert [heard.text for heard in answers] == ["user:alice"] * 5 + ["user:bob"] * 5
        assert len(authority.tokens) == 2
        through = someone("user:alice", "agent:planner")
        assert (await gateway.call("docs__whoami", caller=through)).text == "user:alice"
        assert [token["act"] for token in authority.tokens.values()] == [None, None, {"sub": "agent:planner"}]


async def test_an_assertion_is_for_its_token_endpoint_and_not_one_of_our_own_tokens(
    opened: Open, protected: ProtectedServer, authority: AuthorizationServer
) -> None:
    own = server(protected, "token_exchange", authority)
    async with opened({"docs": own}, environ=ENVIRON, oauth={"issuer": "https://gw.example"}) as gateway:
        trusts(authority, gateway)
        await gateway.call("docs__whoami")
        token = authority.asked[-1]["subject_token"]
        assert jwt.get_unverified_header(token)["typ"] == "JWT"
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims["iss"] == "https://gw.example"
        assert claims["aud"] == f"{authority.url}/token"
        assert claims["exp"] - claims["iat"] <= 60
        heard = await gateway.send(b"{}", headers={"txn-token": token}, identity=False)
        assert heard.status == 401


@pytest.fixture
async def company() -> AsyncIterator[AuthorizationServer]:
    """The identity provider of the company, beside the server's own authorization server."""
    provider = AuthorizationServer()
    async with serving(provider.app) as provider.url:
        yield provider


async def test_the_identity_provider_says_what_a_user_may_and_the_server_believes_it(
    opened: Open, protected: ProtectedServer, authority: AuthorizationServer, company: AuthorizationServer
) -> None:
    provider = {"url": f"{company.url}/token", "client_id": "gateway", "client_secret": "${SECRET}"}
    own = server(
        protected,
        "enterprise_managed",
        authority,
        identity_provider=provider,
        issuer=authority.url,
        catalog_as=ALICE,
        scopes=["files"],
    )
    authority.trusted = {company.url: True}
    async with opened({"docs": own}, environ=ENVIRON) as gateway:
        trusts(company, gateway)
        assert (await gateway.call("docs__whoami")).text == "user:alice"
        assert company.asked[-1]["audience"] == authority.url
        assert authority.asked[-1]["grant_type"].endswith("jwt-bearer")
        asked = len(company.asked)
        assert (await gateway.call("docs__whoami")).text == "user:alice"
        assert len(company.asked) == asked
        authority.trusted = {}
        heard = await gateway.call("docs__whoami", caller=someone("user:bob"))
        assert "invalid_grant" in heard.error["message"]


class _Nothing(dict[str, Any]):
    """Tokens that nobody remembers giving."""

    def __setitem__(self, key: str, value: Any) -> None:
        pass
