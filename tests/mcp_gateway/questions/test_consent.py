"""Where policy leaves it to the person who calls, their own client asks them; an agent is never asked."""

import asyncio
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitRequestParams, ElicitResult

from tests.mcp_gateway.gateway import Gateway
from tests.support.approving import asked, asks, decide, waiting
from tests.support.serve import someone


class Person:
    """Answers what their client shows them."""

    def __init__(self, action: Any) -> None:
        self.seen: list[str] = []
        self._action = action

    async def __call__(self, context: Any, params: ElicitRequestParams) -> ElicitResult:
        self.seen.append(params.message)
        return ElicitResult(action=self._action, content={} if self._action == "accept" else None)


@pytest.fixture
async def gate(plain: Gateway) -> Gateway:
    await asks(plain.edge, plain.service.parts, "tool:one/echo", approver="caller")
    return plain


async def test_a_person_is_asked_by_their_own_client_and_the_call_goes_on(gate: Gateway) -> None:
    person = Person("accept")
    async with gate.client("legacy", elicitation_callback=person) as client:
        answer = await client.call_tool("one__echo", {"text": "hi <b>"})
    assert answer.content[0].text.endswith("hi <b>")  # type: ignore[union-attr]
    assert person.seen == ['Allow invoke of tool:one/echo, this once, with {"text":"hi \\u003cb\\u003e"}?']
    rows = await gate.service.rows(3)
    assert ("approval:caller approved by user:alice",) in [row.findings for row in rows]
    assert await asked(gate.service.parts) == []


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_no_is_a_no(gate: Gateway, action: str) -> None:
    async with gate.client("legacy", elicitation_callback=Person(action)) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("one__echo", {"text": "hi"})
    assert (caught.value.error.code, caught.value.error.data["state"]) == (-32016, "denied")
    assert await asked(gate.service.parts) == []


async def test_an_agent_that_calls_for_somebody_is_not_asked_in_their_place(gate: Gateway) -> None:
    person = Person("accept")
    through = gate.identity(someone("user:alice", "agent:planner"))
    async with gate.client("legacy", headers=through, elicitation_callback=person) as client:
        call = asyncio.create_task(client.call_tool("one__echo", {"text": "hi"}))
        await decide(gate.service.parts)
        await call
    assert person.seen == []


async def test_a_client_that_shows_no_forms_waits_for_an_operator(gate: Gateway) -> None:
    async with gate.client("legacy") as client:
        call = asyncio.create_task(client.call_tool("one__echo", {"text": "hi"}))
        assert (await waiting(gate.service.parts)).approval.approver == "caller"
        await decide(gate.service.parts)
        await call


async def test_where_policy_wants_an_operator_nobody_else_is_asked(gate: Gateway) -> None:
    await asks(gate.edge, gate.service.parts, "tool:one/echo")
    person = Person("accept")
    async with gate.client("legacy", elicitation_callback=person) as client:
        call = asyncio.create_task(client.call_tool("one__echo", {"text": "hi"}))
        await decide(gate.service.parts)
        await call
    assert person.seen == []
