"""Which credentials are taken, and that a session is good at every replica."""

from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.app import SERVICE
from shared.valkey import EmbeddedValkey
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, Talk, http, rule, stateless
from tests.support.serve import running, someone


async def _asked(gateway: Gateway, headers: dict[str, str]) -> Any:
    body, own = stateless("tools/list")
    return await gateway.send(body, headers=own | headers, identity=False)


async def test_behind_the_edge_only_its_identity_tokens_count(plain: Gateway) -> None:
    secret, record = plain.edge.key()
    await plain.edge.keys(plain.service.parts, [record])
    assert (await _asked(plain, {"authorization": f"Bearer {secret}"})).status == 401
    other = plain.edge.token(someone(), audience="llm_gateway")
    assert (await _asked(plain, {"txn-token": other})).status == 401
    assert (await _asked(plain, {"txn-token": "x.y.z"})).status == 401
    assert (await _asked(plain, plain.identity())).status == 200


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_alone_it_takes_keys_itself(opened: Open, one: str, mode: str) -> None:
    async with opened({"one": http(one)}, accept=["identity", "key", "delegation"]) as gateway:
        secret, record = gateway.edge.key()
        await gateway.edge.keys(gateway.service.parts, [record])
        assert (await _asked(gateway, {"authorization": f"Bearer {secret}"})).status == 200
        assert (await _asked(gateway, {"authorization": "Bearer gsk_" + "x" * 43})).status == 401
        async with gateway.client(mode, headers={"authorization": f"Bearer {secret}"}) as client:
            answer = await client.call_tool("one__add", {"a": 1, "b": 2})
            assert answer.structured_content == {"result": 3}


async def test_alone_it_holds_a_chain_to_the_configured_budget(
    opened: Open, one: str, valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    section = {"servers": {"one": http(one)}, "accept": ["key"]}
    config = {"mcp_gateway": section, "policy": {"rules": [rule()]}, "chain": {"budget": {"tool_calls": 0}}}
    async with (
        opened({"one": http(one)}) as first,
        running(SERVICE, config, tmp_path / "alone", edge=first.edge, redis=valkey.url) as alone,
    ):
        gateway = Gateway(first.edge, alone, first.http)
        secret, record = gateway.edge.key()
        await gateway.edge.keys(alone.parts, [record])
        body, own = stateless("tools/call", {"name": "one__add", "arguments": {"a": 1, "b": 2}})
        headers = own | {"authorization": f"Bearer {secret}"}
        assert (await gateway.send(body, headers=headers, identity=False)).status == 429


async def test_a_session_is_good_at_every_replica(
    opened: Open, one: str, valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    async with opened({"one": http(one)}) as first:
        config = {"mcp_gateway": {"servers": {"one": http(one)}}, "policy": {"rules": [rule()]}}
        async with running(SERVICE, config, tmp_path / "two", edge=first.edge, redis=valkey.url) as replica:
            second = Gateway(first.edge, replica, first.http)
            talk = await first.begin()
            there = Talk(second, talk.caller, "/mcp", talk.hello)
            assert (await there.call("one__echo", {"text": "x"})).text == "one: x"
            assert (await second.send(method="DELETE", headers=talk.headers)).status == 200
            assert (await talk.ask("tools/list")).status == 404
