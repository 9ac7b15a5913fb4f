"""Who sees and uses what: filtered lists, refused calls that look like unknown ones, arguments, labels,
kills.
"""

import asyncio
import contextlib
from typing import Any

import pytest

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, Heard, http, rule, stateless
from tests.mcp_gateway.questions.test_replicas import messages
from tests.support.mcp_rogue import Rogue
from tests.support.serve import someone
from tests.support.wait import SECONDS, eventually

ECHO_ONLY = [rule(obj="tool:one/echo", act="invoke")]


def _same(heard: Heard) -> tuple[Any, ...]:
    """What a caller can tell one answer from another by, without the name that it gave itself."""
    error = dict(heard.error)
    data = {name: value for name, value in error.pop("data", {}).items() if name != "call"}
    headers = {name for name in heard.headers if not name.startswith("x-gatestack")}
    return (
        heard.status,
        error["code"],
        error["message"].replace("one__", "").replace("add", "zzz"),
        data,
        headers,
    )


async def test_nothing_is_allowed_without_a_rule(opened: Open, one: str) -> None:
    async with opened({"one": http(one)}, rules=[]) as gateway:
        assert await gateway.tools() == []
        assert (await gateway.call("one__echo", {"text": "hi"})).error["code"] == -32602
        for path in ("/servers/one/mcp", "/servers/two/mcp"):
            assert (await gateway.ask("tools/list", path=path)).status == 404


async def test_lists_show_what_may_be_used(opened: Open, one: str) -> None:
    rules = [
        rule(obj="tool:one/echo", act="invoke"),
        rule(sub="user:bob", obj="tool:one/*", act="*"),
        rule(sub="user:bob", obj="tool:one/add", act="invoke", eft="deny"),
        rule(sub="user:carol", obj="tool:one/*", act="list"),
        rule(obj="prompt:one/*", act="read"),
        rule(obj="resource:one/note://of*", act="read"),
    ]
    async with opened({"one": http(one)}, rules=rules) as gateway:
        assert await gateway.tools() == ["one__echo"]
        assert await gateway.tools(path="/servers/one/mcp") == ["echo"]
        bobs = await gateway.tools(caller=someone("user:bob"))
        assert "one__echo" in bobs
        assert "one__add" not in bobs
        assert await gateway.tools(caller=someone("user:carol")) == ["one__echo"]
        assert (await gateway.ask("prompts/list")).json["result"]["prompts"][0]["name"] == "one__greet"
        assert (await gateway.ask("resources/list")).json["result"]["resources"] == []
        templates = (await gateway.ask("resources/templates/list")).json["result"]["resourceTemplates"]
        assert [template["uriTemplate"] for template in templates] == ["one+note://of/{day}"]


@pytest.mark.parametrize("path", ["/mcp", "/servers/one/mcp"])
async def test_a_refused_tool_and_an_unknown_one_look_the_same(opened: Open, one: str, path: str) -> None:
    prefix = "one__" if path == "/mcp" else ""
    async with opened({"one": http(one)}, rules=ECHO_ONLY) as gateway:
        refused = await gateway.call(f"{prefix}add", {"a": 1, "b": 2}, path=path)
        unknown = await gateway.call(f"{prefix}zzz", {"a": 1, "b": 2}, path=path)
        assert _same(refused) == _same(unknown)
        assert (refused.status, refused.error["code"]) == (400, -32602)
        talk = await gateway.begin(path=path)
        assert _same(await talk.call(f"{prefix}add")) == _same(await talk.call(f"{prefix}zzz"))
        row = (await gateway.service.rows(1))[0]
        assert (row.decision, row.outcome, row.reason) == ("deny", "refused", "forbidden")
        assert (row.resource, row.action) == ("tool:one/add", "invoke")


async def test_to_who_may_do_everything_an_unknown_tool_is_the_same_again(
    plain: Gateway, opened: Open
) -> None:
    unknown = await plain.call("one__zzz")
    assert (unknown.status, unknown.error["message"]) == (400, "there is no tool 'one__zzz'")
    assert (await plain.call("nobody__zzz")).error["message"] == "there is no tool 'nobody__zzz'"
    assert (await plain.call("zzz")).error["message"] == "there is no tool 'zzz'"


async def test_a_server_of_which_nothing_may_be_used_is_not_there(opened: Open, one: str, two: str) -> None:
    async with opened({"one": http(one), "two": http(two)}, rules=ECHO_ONLY) as gateway:
        assert (await gateway.ask("server/discover", path="/servers/one/mcp")).status == 200
        hidden = await gateway.ask("server/discover", path="/servers/two/mcp")
        unknown = await gateway.ask("server/discover", path="/servers/zzz/mcp")
        assert hidden.status == unknown.status == 404
        assert hidden.error["message"] == unknown.error["message"].replace("zzz", "two")


async def test_policy_reads_the_arguments(opened: Open, one: str) -> None:
    rules = [rule(obj="tool:one/add", act="invoke", cond="args.a <= 10")]
    async with opened({"one": http(one)}, rules=rules) as gateway:
        assert await gateway.tools() == ["one__add"]
        assert (await gateway.call("one__add", {"a": 2, "b": 3})).json["result"]["structuredContent"] == {
            "result": 5
        }
        assert (await gateway.call("one__add", {"a": 11, "b": 3})).error["code"] == -32602
        assert (await gateway.call("one__add", {"b": 3})).error["message"] == "there is no tool 'one__add'"


async def test_every_actor_of_the_chain_must_be_allowed(opened: Open, one: str) -> None:
    rules = [rule(sub="user:alice", obj="tool:one/*"), rule(sub="agent:planner", obj="tool:one/echo")]
    chain = someone("user:alice", "agent:planner")
    async with opened({"one": http(one)}, rules=rules) as gateway:
        assert await gateway.tools(caller=chain) == ["one__echo"]
        assert (await gateway.call("one__echo", {"text": "x"}, caller=chain)).text == "one: x"
        assert (await gateway.call("one__add", {"a": 1, "b": 1}, caller=chain)).error["code"] == -32602


async def test_two_servers_with_one_tool_are_kept_apart(opened: Open, one: str, two: str) -> None:
    async with opened({"one": http(one), "two": http(two)}, rules=[rule(obj="tool:two/*")]) as gateway:
        assert all(name.startswith("two__") for name in await gateway.tools())
        assert (await gateway.call("two__echo", {"text": "x"})).text == "two: x"
        assert (await gateway.call("one__echo", {"text": "x"})).error["code"] == -32602


async def test_what_a_chain_has_met_counts_against_it(opened: Open, one: str, two: str) -> None:
    servers = {
        "one": http(one)
        | {"labels": ["reads:private"], "tools": {"echo": {"labels": ["content:untrusted"]}}},
        "two": http(two),
    }
    safe = "not ('reads:private' in taint and 'content:untrusted' in taint)"
    rules = [rule(obj="tool:one/*"), rule(obj="tool:two/*", cond=safe)]
    async with opened(servers, rules=rules) as gateway:
        chain = someone()
        assert (await gateway.call("two__echo", {"text": "x"}, caller=chain)).text == "two: x"
        await gateway.call("one__add", {"a": 1, "b": 1}, caller=chain)
        assert (await gateway.call("two__echo", {"text": "x"}, caller=chain)).text == "two: x"
        await gateway.call("one__echo", {"text": "x"}, caller=chain)
        assert (await gateway.call("two__echo", {"text": "x"}, caller=chain)).error["code"] == -32602
        assert "two__echo" not in await gateway.tools(caller=chain)
        assert (await gateway.call("two__echo", {"text": "x"}, caller=someone())).text == "two: x"


async def test_labels_are_facts(opened: Open, one: str) -> None:
    server = http(one) | {"tools": {"add": {"labels": ["harmless"]}}}
    async with opened({"one": server}, rules=[rule(obj="tool:*", cond="'harmless' in labels")]) as gateway:
        assert await gateway.tools() == ["one__add"]
        assert (await gateway.call("one__echo", {"text": "x"})).error["code"] == -32602


@pytest.mark.parametrize("selector", [{"tool": "one/echo"}, {"server": "one"}, {"user": "user:alice"}])
async def test_what_is_killed_is_refused(plain: Gateway, selector: dict[str, str]) -> None:
    await plain.edge.kill(plain.service.parts, **selector)
    heard = await plain.call("one__echo", {"text": "x"})
    assert (heard.status, heard.error["code"]) == (403, -32012)
    await plain.edge.kill(plain.service.parts)
    assert (await plain.call("one__echo", {"text": "x"})).text == "one: x"


async def test_a_kill_ends_a_stream_with_an_error_and_the_call_at_the_server(
    opened: Open, rogue: tuple[Rogue, str]
) -> None:
    server, url = rogue
    async with opened({"r": http(url)}) as gateway:
        params = {"name": "r__silent", "arguments": {}, "_meta": {"progressToken": 1}}
        body, headers = stateless("tools/call", params)
        async with (
            await gateway.open(body, headers=headers) as reply,
            contextlib.aclosing(messages(reply)) as said,
            asyncio.timeout(SECONDS),
        ):
            assert (await anext(said))["method"] == "notifications/progress"
            await gateway.edge.kill(gateway.service.parts, tool="r/silent")
            last = await anext(said)
        assert (last["id"], last["error"]["code"]) == (1, -32012)
        await eventually(server.left.is_set, "the server was left")
        [row] = [row for row in await gateway.service.rows(1) if row.tool]
        assert row.outcome == "killed"


async def test_servers_that_may_not_be_used_say_nothing_in_the_handshake(
    opened: Open, one: str, two: str
) -> None:
    servers = {"one": http(one), "two": http(two)}
    async with opened(servers, rules=ECHO_ONLY) as gateway:
        told = (await gateway.ask("server/discover")).json["result"]["instructions"]
        assert "This is one." in told
        assert "two" not in told
