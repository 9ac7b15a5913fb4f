"""Entries, limits and traces: every message is on record, counted, and part of one trace."""

import asyncio
import hashlib
from typing import Any

from shared.identity.principal import ChainBudget
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, http
from tests.support.mcp_rogue import Rogue
from tests.support.mcp_servers import Seen
from tests.support.serve import someone


async def test_a_call_is_an_entry_with_all_there_is_to_know(plain: Gateway) -> None:
    caller = someone("user:alice", "agent:planner", parent="p" * 26, hop=1)
    body = {"name": "one__echo", "arguments": {"text": "hi"}}
    assert (await plain.ask("tools/call", body, caller=caller)).text == "one: hi"
    row = await plain.service.row()
    assert (row.service, row.server, row.tool) == ("mcp_gateway", "one", "one/echo")
    assert (row.resource, row.action, row.decision, row.rule) == (
        "tool:one/echo",
        "invoke",
        "allow",
        "rules[0]",
    )
    assert (row.outcome, row.status, row.attempts, row.request_id) == ("completed", 200, 1, "1")
    assert (row.chain, row.actors, row.credential) == (
        caller.chain,
        ("user:alice", "agent:planner"),
        "identity",
    )
    assert row.digest == hashlib.sha256(b'{"text":"hi"}').hexdigest()
    assert 0 < row.upstream_us <= row.duration_us


async def test_lists_and_handshakes_are_entries_too(plain: Gateway) -> None:
    talk = await plain.begin()
    await talk.ask("tools/list")
    await talk.ask("tools/list", path="/servers/one/mcp")
    await plain.ask("prompts/list", path="/servers/one/mcp")
    rows = await plain.service.rows(4)
    assert [(row.resource, row.action, row.outcome) for row in rows] == [
        ("tool:*", "initialize", "completed"),
        ("tool:*", "list", "completed"),
        ("", "", "refused"),
        ("prompt:one/*", "list", "completed"),
    ]
    assert rows[1].detail == "8 of 8 shown"


async def test_a_tool_that_fails_is_on_record(plain: Gateway) -> None:
    assert (await plain.call("one__failing")).json["result"]["isError"]
    row = await plain.service.row()
    assert (row.outcome, row.detail) == ("completed", "the tool reported an error")


async def test_the_servers_span_hangs_below_ours(opened: Open, one: str, seen: Seen) -> None:
    forged = {
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
        "tracestate": "x=1",
        "baggage": "user=root",
        "own/key": 1,
    }
    async with opened({"one": http(one)}) as gateway:
        heard = await gateway.ask("tools/call", {"name": "one__look", "arguments": {}, "_meta": forged})
        assert heard.text == "kept"
        row = await gateway.service.row()
    ours = f"00-{row.trace_id}-{row.span_id}-00"
    assert row.trace_id == "1" * 32
    [meta], [headers] = seen.meta, seen.headers
    assert (meta["traceparent"], headers["traceparent"]) == (ours, ours)
    assert meta["own/key"] == 1
    assert not {"tracestate", "baggage"} & set(meta)


async def test_what_the_protocol_keeps_to_itself_stays_on_its_side(
    opened: Open, one: str, seen: Seen
) -> None:
    async with opened({"one": http(one, era="session")}) as gateway:
        await gateway.ask(
            "tools/call", {"name": "one__look", "arguments": {}, "_meta": {"progressToken": "t"}}
        )
    [meta] = seen.meta
    assert not any(key.startswith("io.modelcontextprotocol/") for key in meta)
    assert "t" not in meta.values()


async def test_requests_are_limited(opened: Open, one: str) -> None:
    limits = [{"name": "few", "per": "user", "unit": "requests", "amount": 2, "window": "month"}]
    async with opened({"one": http(one)}, limits=limits) as gateway:
        assert (await gateway.ask("tools/list")).status == 200
        assert (await gateway.call("one__echo", {"text": "x"})).status == 200
        heard = await gateway.call("one__echo", {"text": "x"})
        assert (heard.status, heard.error["code"]) == (429, -32013)
        assert "few" in heard.error["message"]
        assert int(heard.headers["retry-after"]) == heard.error["data"]["retry_after"]
        assert (await gateway.ask("tools/list", caller=someone("user:bob"))).status == 200


async def test_calls_of_one_tool_are_limited(opened: Open, one: str) -> None:
    adds = {"name": "adds", "per": "tool", "unit": "tool_calls", "amount": 1, "window": "month"}
    async with opened({"one": http(one)}, limits=[adds | {"match": {"tool": "one/add"}}]) as gateway:
        assert (await gateway.call("one__add", {"a": 1, "b": 1})).status == 200
        assert (await gateway.call("one__add", {"a": 1, "b": 1})).status == 429
        assert (await gateway.call("one__echo", {"text": "x"})).status == 200
        assert (await gateway.ask("tools/list")).status == 200


async def test_a_chain_stops_at_its_budget(opened: Open, one: str) -> None:
    async with opened({"one": http(one)}, chain={"budget": {"tool_calls": 5}}) as gateway:
        wide, narrow = someone(), someone(budget=ChainBudget(tool_calls=2))

        async def called(caller: Any) -> list[int]:
            calls = (gateway.call("one__echo", {"text": "x"}, caller=caller) for _ in range(8))
            return sorted([heard.status for heard in await asyncio.gather(*calls)])

        assert await called(wide) == [200] * 5 + [429] * 3
        assert await called(narrow) == [200] * 2 + [429] * 6
        assert (await gateway.ask("tools/list", caller=narrow)).status == 200


async def test_a_limit_in_the_session_era_is_a_429_too(opened: Open, rogue: tuple[Rogue, str]) -> None:
    async with opened({"r": http(rogue[1])}, chain={"budget": {"tool_calls": 1}}) as gateway:
        talk = await gateway.begin()
        caller = talk.caller
        assert (await talk.call("r__fine", caller=caller)).text == "fine"
        heard = await talk.call("r__fine", caller=caller)
        assert (heard.status, heard.error["code"]) == (429, -32013)
