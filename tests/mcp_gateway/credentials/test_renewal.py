"""Grants that run out: renewed once, by one replica, with a refresh token that is good once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.app import SERVICE
from mcp_gateway.credentials.user_grants import UserGrants
from shared.identity.sealed import Sealer
from shared.redis_client import Redis
from shared.valkey import EmbeddedValkey
from tests.mcp_gateway.credentials.conftest import KEY, OTHER_KEY, Connected, browsing, link_for
from tests.mcp_gateway.gateway import Gateway, rule
from tests.support.authorization_server import AuthorizationServer
from tests.support.protected_server import ProtectedServer
from tests.support.serve import running
from tests.support.wait import eventually

OWNER = ("acme", "user:alice", "user:alice")


@contextlib.asynccontextmanager
async def replica_of(first: Gateway, directory: Path, redis: str, url: str) -> AsyncIterator[Gateway]:
    server: dict[str, Any] = {
        "transport": {"type": "http", "url": f"{url}/mcp"},
        "credential": {"type": "user_oauth"},
    }
    oauth = {"sealing_keys": ["${KEY_0}"], "allow": ["127.0.0.1"]}
    section = {"servers": {"docs": server}, "oauth": oauth, "public_url": "http://127.0.0.1"}
    config = {"mcp_gateway": section, "policy": {"rules": [rule()]}}
    async with running(
        SERVICE, config, directory, edge=first.edge, redis=redis, environ={"KEY_0": KEY}
    ) as service:
        yield Gateway(first.edge, service, first.http)


async def test_two_replicas_never_use_one_refresh_token_twice(
    connected: Connected,
    authority: AuthorizationServer,
    protected: ProtectedServer,
    valkey: EmbeddedValkey,
    tmp_path: Path,
) -> None:
    async with connected() as first, browsing(first) as browser:
        # What is given lasts for less than it takes to be trusted: every call renews it.
        authority.seconds = 10
        await browser.allow(await link_for(first))
        authority.seconds = 3600
        async with replica_of(first, tmp_path / "two", valkey.url, protected.url) as second:
            calls = [replica.call("docs__whoami") for _ in range(10) for replica in (first, second)]
            answers = await asyncio.gather(*calls)
        assert {heard.text for heard in answers} == {"alice@example.com"}
        assert authority.grants.count("refresh_token") == 1
        assert authority.reused == 0


async def test_a_token_that_the_server_does_not_take_any_more_is_renewed_and_tried_again_once(
    connected: Connected, authority: AuthorizationServer
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
        authority.tokens.clear()
        assert (await gateway.call("docs__whoami")).text == "alice@example.com"
        assert authority.grants.count("refresh_token") == 1


async def test_a_refresh_token_that_is_worth_nothing_any_more_is_forgotten(
    connected: Connected, authority: AuthorizationServer
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
        authority.tokens.clear()
        authority.refreshes.clear()
        await link_for(gateway)
        await link_for(gateway)
        assert authority.grants.count("refresh_token") == 1


async def test_an_authorization_server_that_fails_costs_nobody_their_grant(
    connected: Connected, authority: AuthorizationServer
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
        authority.tokens.clear()
        authority.broken = True
        heard = await gateway.call("docs__whoami")
        assert "authorization server" in heard.error["message"]
        # What one user cannot get must not shut the server for others.
        for _ in range(6):
            assert "left alone" not in (await gateway.call("docs__whoami")).error["message"]
        authority.broken = False
        assert (await gateway.call("docs__whoami")).text == "alice@example.com"


async def test_a_token_that_is_nearly_over_is_used_to_its_end_where_nobody_renews_it(
    connected: Connected, authority: AuthorizationServer
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        authority.seconds = 25
        await browser.allow(await link_for(gateway))
        authority.broken = True
        assert (await gateway.call("docs__whoami")).text == "alice@example.com"


async def test_a_caller_that_leaves_while_a_grant_is_renewed_does_not_cost_the_grant(
    connected: Connected, authority: AuthorizationServer
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
        authority.tokens.clear()
        authority.hold = asyncio.Event()
        call = asyncio.create_task(gateway.call("docs__whoami"))
        await eventually(lambda: "refresh_token" in authority.grants, "the renewal is under way")
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        authority.hold.set()
        assert (await gateway.call("docs__whoami")).text == "alice@example.com"
        assert authority.grants.count("refresh_token") == 1


async def test_what_is_revoked_while_it_is_renewed_does_not_come_back(
    connected: Connected, authority: AuthorizationServer
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
        authority.tokens.clear()
        authority.hold = asyncio.Event()
        call = asyncio.create_task(gateway.call("docs__whoami"))
        await eventually(lambda: "refresh_token" in authority.grants, "the renewal is under way")
        assert (await gateway.send(method="DELETE", path="/oauth/grants/docs")).status == 204
        authority.hold.set()
        assert (await call).json["result"]["isError"]
        assert authority.refreshes == {}
        await link_for(gateway)


async def test_a_server_that_names_another_authorization_server_gets_no_refresh_token_of_the_first(
    connected: Connected, authority: AuthorizationServer, protected: ProtectedServer, redis: Redis
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
        grants = UserGrants(redis, Sealer([KEY]))
        held = await grants.find("docs", OWNER)
        assert held is not None
        other = {**{name: getattr(held.grant, name) for name in held.grant.__struct_fields__}}
        moved = type(held.grant)(**(other | {"issuer": "https://first.example"}))
        await grants.keep("docs", OWNER, moved)
        authority.tokens.clear()
        await link_for(gateway)
        assert "refresh_token" not in authority.grants


@pytest.mark.parametrize("old_key_stays", [True, False])
async def test_a_new_key_seals_anew_what_is_read_and_an_unknown_one_opens_nothing(
    connected: Connected, redis: Redis, *, old_key_stays: bool
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
    stored = "gs:{acme}:mcp:grant:docs:user:alice"
    before = await redis.execute("GET", stored)
    keys = [OTHER_KEY, KEY] if old_key_stays else [OTHER_KEY]
    async with connected(keys=keys) as gateway:
        if old_key_stays:
            assert (await gateway.call("docs__whoami")).text == "alice@example.com"
            assert await redis.execute("GET", stored) != before
            assert await UserGrants(redis, Sealer([OTHER_KEY])).find("docs", OWNER) is not None
        else:
            await link_for(gateway)


async def test_what_lies_in_the_store_shows_nothing_and_opens_for_nobody_else(
    connected: Connected, authority: AuthorizationServer, redis: Redis
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
        every = [await redis.execute("DUMP", key) for key in await redis.execute("KEYS", "*")]
        known = [*authority.tokens, *authority.refreshes]
        assert known
        assert not [token for token in known for value in every if token.encode() in value]
        sealed = await redis.execute("GET", "gs:{acme}:mcp:grant:docs:user:alice")
        await redis.execute("SET", "gs:{acme}:mcp:grant:docs:user:bob", sealed)
        grants = UserGrants(redis, Sealer([KEY]))
        assert await grants.find("docs", OWNER) is not None
        assert await grants.find("docs", ("acme", "user:bob", "user:bob")) is None
