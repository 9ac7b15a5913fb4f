"""What a server may cost its callers: results that are bombs, calls that do not end, too many at once; and
tools that destroy.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mcp_gateway.bombs import defuse
from mcp_gateway.circuits import Circuits
from mcp_gateway.config import Http, ServerRule
from mcp_gateway.turns import Turns
from shared.clock import Clock
from shared.errors import LimitExceeded, UpstreamBroken
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import http, rule
from tests.support.mcp_rogue import Rogue
from tests.support.mcp_shifting import Shifting, tool
from tests.support.serve import serving, someone
from tests.support.wait import eventually

DELETE = tool("delete_row", "Deletes.", annotations={"destructiveHint": True})
TRANSPORT = Http(url="http://x")


def _nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.fixture
async def shifting() -> AsyncIterator[tuple[Shifting, str]]:
    server = Shifting(tool("read"), tool("bomb"), DELETE)
    async with serving(server) as url:
        yield server, url


@pytest.mark.parametrize(
    ("limits", "content", "said"),
    [
        ({"max_result_bytes": 2_000}, "x" * 3_000, "2000 bytes"),
        ({"max_result_depth": 20}, _nested(30), "20 levels"),
        ({}, _nested(400), "64 levels"),
        ({"max_result_items": 100}, list(range(200)), "100 values"),
    ],
)
async def test_a_bomb_is_defused_before_it_reaches_the_client(
    opened: Open, shifting: tuple[Shifting, str], limits: Any, content: Any, said: str
) -> None:
    server, url = shifting
    server.results["bomb"] = {"structuredContent": content, "content": []}
    async with opened({"s": http(url) | limits}) as gateway:
        heard = await gateway.call("s__bomb")
        assert heard.error["code"] == -32014
        assert said in heard.error["message"]
        assert (await gateway.call("s__read")).text == "fine"


def test_brackets_in_a_text_are_no_levels() -> None:
    defuse("s", ServerRule(transport=TRANSPORT), b'{"a":"' + b"[{" * 500 + b'"}')


def test_many_small_values_are_counted_and_not_their_commas() -> None:
    few = ServerRule(transport=TRANSPORT, max_result_items=10)
    defuse("s", few, b'{"a":",,,,,,,,,,,,,,,,,,,"}')
    with pytest.raises(UpstreamBroken):
        defuse("s", few, b'{"a":[1,1,1,1,1,1,1,1,1,1]}')


async def test_a_call_that_never_ends_is_ended_even_if_it_keeps_talking(
    opened: Open, one: str, seen: Any
) -> None:
    server = http(one) | {"deadline_seconds": 1, "timeout_seconds": 30}
    async with opened({"one": server}) as gateway:
        heard = await gateway.call("one__forever")
        error = heard.events[-1]["error"] if heard.events else heard.error
        assert error["message"].endswith("did not finish in time")
        await eventually(seen.cancelled.is_set, "the server was left")


async def test_a_server_gets_no_more_calls_at_once_than_it_may(
    opened: Open, rogue: tuple[Rogue, str]
) -> None:
    server, url = rogue
    async with opened({"r": http(url) | {"concurrency": 1}}) as gateway:
        held = asyncio.create_task(gateway.call("r__never"))
        await eventually(server.reached.is_set, "the first call arrived")
        heard = await gateway.call("r__fine")
        assert (heard.status, heard.error["code"]) == (429, -32013)
        assert heard.headers["retry-after"] == "1"
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)
        await eventually(server.left.is_set, "the first call was left")
        assert (await gateway.call("r__fine")).text == "fine"


async def test_who_waits_gets_the_turn_of_who_leaves() -> None:
    rules = {
        "s": ServerRule(transport=TRANSPORT, concurrency=2),
        "other": ServerRule(transport=TRANSPORT),
    }
    turns = Turns(rules, Circuits(rules, Clock()), wait_seconds=0.05)
    async with turns.taken("s"), turns.taken("other"):
        async with turns.taken("s"):
            with pytest.raises(LimitExceeded):
                async with turns.taken("s"):
                    pass
        async with turns.taken("s"):
            pass


async def test_policy_reads_arguments_at_any_depth(opened: Open, shifting: tuple[Shifting, str]) -> None:
    server, url = shifting
    cond = "startswith(args.target.path, '/srv/') and args.target.options.mode in ['r', 'rb']"
    async with opened({"s": http(url)}, rules=[rule(obj="tool:s/*", act="invoke", cond=cond)]) as gateway:
        assert "s__read" in await gateway.tools()

        def target(path: Any, **options: Any) -> dict[str, Any]:
            return {"target": {"path": path, "options": options}}

        assert (await gateway.call("s__read", target("/srv/a", mode="r"))).text == "fine"
        wrong = [
            *(target("/etc/a", mode="r"), target("/srv/a", mode="w"), target("/srv/a"), target(7, mode="r")),
            *({}, {"target": "/srv/a"}, {"target": None}, {"target.path": "/srv/a"}),
        ]
        for arguments in wrong:
            assert (await gateway.call("s__read", arguments)).error["code"] == -32602
    assert server.called == ["read"]


async def test_what_denies_by_an_argument_denies_where_it_cannot_be_told(
    opened: Open, shifting: tuple[Shifting, str]
) -> None:
    rules = [rule(obj="tool:s/*"), rule(obj="tool:s/read", eft="deny", cond="args.filter.all == True")]
    async with opened({"s": http(shifting[1])}, rules=rules) as gateway:
        assert (await gateway.call("s__read", {"filter": {"all": False}})).text == "fine"
        untold: list[dict[str, Any]] = [{"filter": {"all": True}}, {"filter": {}}, {}]
        for arguments in untold:
            assert (await gateway.call("s__read", arguments)).error["code"] == -32602


async def test_what_a_server_calls_destructive_is_a_label_and_no_taint(
    opened: Open, shifting: tuple[Shifting, str]
) -> None:
    rules = [
        rule(obj="tool:*", cond="'destructive' not in labels"),
        rule(sub="user:bob", obj="tool:*", cond="len(taint) == 0"),
    ]
    async with opened({"s": http(shifting[1])}, rules=rules) as gateway:
        assert "s__delete_row" not in await gateway.tools()
        assert (await gateway.call("s__delete_row")).error["code"] == -32602
        chain = someone("user:bob")
        for _ in range(2):
            assert (await gateway.call("s__delete_row", caller=chain)).text == "fine"


@pytest.mark.parametrize(
    "meant",
    [
        {"obj": "tool:s/delete_row"},
        {"obj": "tool:*", "cond": "'destructive' in labels and args.id == 7"},
        {"obj": "tool:s/delete_row", "cond": "args.id == 7"},
    ],
)
async def test_where_it_must_be_explicit_only_a_rule_that_means_it_lets_destroy(
    opened: Open, shifting: tuple[Shifting, str], meant: dict[str, str]
) -> None:
    rules = [rule(obj="tool:*"), rule(sub="user:bob", **meant)]
    async with opened({"s": http(shifting[1])}, rules=rules, destructive="explicit") as gateway:
        assert await gateway.tools() == ["s__read", "s__bomb"]
        assert (await gateway.call("s__read")).text == "fine"
        refused, unknown = await gateway.call("s__delete_row", {"id": 7}), await gateway.call("s__zzz")
        assert (refused.status, refused.error["code"]) == (unknown.status, unknown.error["code"])
        bob = someone("user:bob")
        assert "s__delete_row" in await gateway.tools(caller=bob)
        assert (await gateway.call("s__delete_row", {"id": 7}, caller=bob)).text == "fine"
        if "cond" in meant:
            assert (await gateway.call("s__delete_row", {"id": 8}, caller=bob)).error["code"] == -32602
        both = someone("user:bob", "agent:planner")
        assert (await gateway.call("s__delete_row", {"id": 7}, caller=both)).error["code"] == -32602


async def test_the_operators_label_counts_as_the_servers_word(
    opened: Open, shifting: tuple[Shifting, str]
) -> None:
    server = http(shifting[1]) | {"tools": {"read": {"labels": ["destructive"]}}}
    async with opened({"s": server}, destructive="explicit") as gateway:
        assert await gateway.tools() == ["s__bomb"]


async def test_a_tool_that_comes_to_be_destructive_does_not_slip_through_between_two_looks(
    opened: Open, shifting: tuple[Shifting, str]
) -> None:
    server, url = shifting
    async with opened({"s": http(url)}, destructive="explicit", trust="unpinned") as gateway:
        assert await gateway.tools() == ["s__read", "s__bomb"]
        server.tools.append(tool("wipe", annotations={"destructiveHint": True}))
        for _ in range(3):
            assert (await gateway.call("s__wipe")).error["code"] == -32602
        assert server.called == []
