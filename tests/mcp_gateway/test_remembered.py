"""Lists that were shown before are shown again, until anything changes that they hang on."""

from collections.abc import AsyncIterator

import pytest

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import http, rule
from tests.support.mcp_shifting import Shifting, tool
from tests.support.serve import serving, someone
from tests.support.wait import eventually


@pytest.fixture
async def server() -> AsyncIterator[tuple[Shifting, str]]:
    shifting = Shifting(tool("read"), tool("write"))
    async with serving(shifting) as url:
        yield shifting, url


async def test_each_caller_is_shown_its_own_list_again(opened: Open, server: tuple[Shifting, str]) -> None:
    rules = [rule("user:alice", "tool:*"), rule("user:bob", "tool:s/read"), rule("agent:a", "tool:s/write")]
    async with opened({"s": http(server[1])}, rules=rules) as gateway:
        for _ in range(2):
            assert await gateway.tools() == ["s__read", "s__write"]
            assert await gateway.tools(caller=someone("user:bob")) == ["s__read"]
            assert await gateway.tools(caller=someone("user:alice", "agent:a")) == ["s__write"]
            assert await gateway.tools(caller=someone("user:bob", "agent:a")) == []
            assert await gateway.tools(caller=someone(scope=("tool:s/write",))) == ["s__write"]
            assert await gateway.tools(caller=someone("user:mallory")) == []


async def test_one_person_with_other_roles_is_shown_another_list(
    opened: Open, server: tuple[Shifting, str]
) -> None:
    rules = [rule("user:alice", "tool:s/read"), rule("role:writer", "tool:s/write")]
    async with opened({"s": http(server[1])}, rules=rules) as gateway:
        for _ in range(2):
            assert await gateway.tools(caller=someone(roles=("writer",))) == ["s__read", "s__write"]
            assert await gateway.tools() == ["s__read"]


async def test_what_a_condition_decides_is_decided_each_time(
    opened: Open, server: tuple[Shifting, str]
) -> None:
    rules = [
        rule(obj="tool:s/write"),
        rule(obj="tool:s/read", cond='"content:untrusted" not in taint'),
    ]
    tainted = {"tools": {"write": {"labels": ["content:untrusted"]}}}
    async with opened({"s": http(server[1]) | tainted}, rules=rules) as gateway:
        caller = someone()
        assert await gateway.tools(caller=caller) == ["s__read", "s__write"]
        await gateway.call("s__write", caller=caller)
        assert await gateway.tools(caller=caller) == ["s__write"]


async def test_a_list_or_a_policy_that_changes_is_seen(opened: Open, server: tuple[Shifting, str]) -> None:
    shifting, url = server
    async with opened({"s": http(url)}, catalog_seconds=0.01) as gateway:
        assert await gateway.tools() == ["s__read", "s__write"]
        shifting.tools.append(tool("more"))

        async def grown() -> bool:
            return "s__more" in await gateway.tools()

        await eventually(grown)
        policy = {"rules": [rule(obj="tool:s/more")]}
        await gateway.edge.publish(gateway.service.parts, "policy", policy)
        assert await gateway.tools() == ["s__more"]
