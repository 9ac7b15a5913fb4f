"""A call that needs a person's consent waits for it, in both eras, and goes on as that person has seen it."""

import asyncio
from typing import Any

import pytest

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, http
from tests.support.approving import BY, asked, asks, decide, state, waiting

APPROVAL = -32016


@pytest.fixture
async def gate(plain: Gateway) -> Gateway:
    """Before a server whose tool `echo` needs consent."""
    await asks(plain.edge, plain.service.parts, "tool:one/echo")
    return plain


async def test_a_call_waits_and_goes_on_once_it_is_approved(gate: Gateway) -> None:
    parts = gate.service.parts
    call = asyncio.create_task(gate.call("one__echo", {"text": "hello"}))
    seen = (await waiting(parts)).approval
    assert (seen.resource, seen.preview, seen.rule) == ("tool:one/echo", '{"text":"hello"}', "asks")
    id = await decide(parts)
    assert "hello" in (await call).text
    row = await gate.service.row()
    assert (row.outcome, row.findings) == ("completed", (f"approval:{id} approved by {BY}",))


async def test_in_a_session_too(gate: Gateway) -> None:
    talk = await gate.begin()
    call = asyncio.create_task(talk.call("one__echo", {"text": "hello"}))
    await decide(gate.service.parts)
    assert "hello" in (await call).text


async def test_a_refused_call_is_an_error_that_says_why_and_never_reaches_the_server(
    gate: Gateway,
) -> None:
    call = asyncio.create_task(gate.call("one__echo", {"text": "hello"}))
    id = await decide(gate.service.parts, "denied", "not today")
    error = (await call).error
    assert (error["code"], error["message"]) == (APPROVAL, "a person has refused this call: not today")
    assert error["data"] == {
        "reason": "approval",
        "call": error["data"]["call"],
        "approval": id,
        "state": "denied",
    }
    row = await gate.service.row()
    assert (row.outcome, row.reason, row.findings) == (
        "refused",
        "approval",
        (f"approval:{id} denied by {BY}",),
    )
    assert row.upstream_us == 0


async def test_a_client_that_wants_progress_hears_at_once_what_it_waits_for(gate: Gateway) -> None:
    params: dict[str, Any] = {
        "name": "one__echo",
        "arguments": {"text": "hello"},
        "_meta": {"progressToken": "p"},
    }
    call = asyncio.create_task(gate.ask("tools/call", params))
    id = await decide(gate.service.parts)
    note, answer = (await call).events
    assert note["method"] == "notifications/progress"
    assert (note["params"]["progressToken"], id in note["params"]["message"]) == ("p", True)
    assert answer["result"]["content"][0]["text"].endswith("hello")


async def test_nobody_is_asked_about_a_call_that_is_wrong_in_itself_or_needs_no_consent(
    gate: Gateway,
) -> None:
    assert (await gate.call("one__echo", {"words": 1})).error["code"] == -32602
    assert (await gate.call("one__add", {"a": 1, "b": 2})).status == 200
    await gate.tools()
    assert await asked(gate.service.parts) == []


async def test_a_client_that_cancels_takes_back_what_it_asked(gate: Gateway) -> None:
    talk = await gate.begin()
    call = asyncio.create_task(talk.call("one__echo", {"text": "hello"}))
    id = (await waiting(gate.service.parts)).approval.id
    await talk.tell("notifications/cancelled", {"requestId": 1})
    assert "cancelled" in (await call).error["message"]
    assert await state(gate.service.parts, id) == "withdrawn"


async def test_a_client_that_leaves_takes_back_what_it_asked(gate: Gateway) -> None:
    call = asyncio.create_task(gate.call("one__echo", {"text": "hello"}))
    id = (await waiting(gate.service.parts)).approval.id
    call.cancel()
    assert (await gate.service.row()).outcome == "client_gone"
    assert await state(gate.service.parts, id) == "withdrawn"


async def test_a_call_that_waits_can_be_killed(gate: Gateway) -> None:
    call = asyncio.create_task(gate.call("one__echo", {"text": "hello"}))
    id = (await waiting(gate.service.parts)).approval.id
    await gate.edge.kill(gate.service.parts, tool="one/echo")
    assert (await call).status in (200, 403)
    assert (await gate.service.row()).outcome == "killed"
    assert await state(gate.service.parts, id) == "withdrawn"


async def test_every_tool_that_destroys_needs_consent_where_the_operator_says_so(
    opened: Open, one: str
) -> None:
    server = http(one) | {"tools": {"echo": {"labels": ["destructive"]}}}
    async with opened({"one": server}, destructive="approval") as gate:
        call = asyncio.create_task(gate.call("one__echo", {"text": "hello"}))
        assert (await waiting(gate.service.parts)).approval.rule == "destructive"
        await decide(gate.service.parts)
        assert "hello" in (await call).text
        assert (await gate.call("one__add", {"a": 1, "b": 2})).status == 200


async def test_a_limit_is_not_held_while_a_call_waits_and_gives_the_decision_back_where_it_refuses(
    opened: Open, one: str
) -> None:
    once = {"name": "once", "per": "user", "unit": "requests", "amount": 1, "window": "day"}
    async with opened({"one": http(one)}, limits=[once]) as gate:
        parts = gate.service.parts
        await asks(gate.edge, parts, "tool:one/echo")
        call = asyncio.create_task(gate.call("one__echo", {"text": "hello"}))
        await waiting(parts)
        assert (await gate.call("one__add", {"a": 1, "b": 2})).status == 200
        id = await decide(parts)
        assert (await call).status == 429
        assert await state(parts, id) == "approved"
