"""A call through the whole stack waits for a person, who decides on the command line, and goes on once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.api_gateway.office import Said, said
from tests.stack.conftest import RULES, TENANT, World, open_world
from tests.support.answer import Answer
from tests.support.wait import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
]
APPROVALS = [
    {"id": "adds", "sub": "*", "dom": TENANT, "obj": "tool:tools/add", "act": "*", "cond": "args.a > 1"},
    {"id": "models", "sub": "user:carol", "dom": TENANT, "obj": "model:fast", "act": "*"},
    {"id": "agents", "sub": "user:carol", "dom": TENANT, "obj": "agent:patient", "act": "*"},
]
CAROL = {"id": "carol", "sub": "user:carol", "dom": TENANT, "obj": "agent:patient", "act": "*"}
DECIDES = {"id": "decides", "sub": "*", "dom": TENANT, "obj": "admin:approvals", "act": "*"}
# Under the 15 s after which a call that waits becomes a stream.
WAIT_SECONDS = 12
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    directory = tmp_path_factory.mktemp("approvals")
    policy = {"rules": [*RULES, CAROL, DECIDES], "approvals": APPROVALS}
    async with open_world(directory, policy=policy, approvals={"wait_seconds": WAIT_SECONDS}) as world:
        yield world


async def add(world: World, key: str, a: int) -> Answer:
    params = {"name": "tools__add", "arguments": {"a": a, "b": 2}, "_meta": META}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = HEADERS | {"mcp-method": "tools/call", "mcp-name": "tools__add"}
    return await world.stack.send("POST", "/mcp", key=key, body=body, headers=headers)


async def say(world: World, *argv: str) -> Said:
    key_file = world.stack.directory / "state" / "operator.key"
    return await asyncio.to_thread(said, *argv, "--url", world.url, "--key-file", str(key_file))


async def waiting(world: World) -> dict[str, Any]:
    """The one call that waits."""

    async def one() -> Any:
        found = (await world.stack.admin("GET", "/approvals")).json["approvals"]
        return found[0] if len(found) == 1 else None

    found: dict[str, Any] = await eventually(one, "a call that waits for a person")
    return found


async def test_a_tool_call_waits_is_approved_and_goes_on_once(office: World) -> None:
    key = await office.key()
    call = asyncio.create_task(add(office, key, 2))
    asked = await waiting(office)
    assert (asked["resource"], asked["preview"]) == ("tool:tools/add", '{"a":2,"b":2}')
    assert (await say(office, "approvals", "approve", asked["id"])).code == 0
    answer = await call
    assert answer.json["result"]["content"][0]["text"] == "4"
    rows = await office.stack.entries(answer.headers["x-gatestack-chain"], 2)
    [inner] = [row for row in rows if row["service"] == "mcp_gateway"]
    assert inner["findings"] == [f"approval:{asked['id']} approved by user:operator"]
    # Replayed, and with other arguments: both ask anew.
    for a in (2, 3):
        replay = asyncio.create_task(add(office, key, a))
        again = await waiting(office)
        assert again["id"] != asked["id"]
        assert (await say(office, "approvals", "deny", again["id"], "--reason", "enough")).code == 0
        error = (await replay).json["error"]
        assert (error["data"]["state"], "enough" in error["message"]) == ("denied", True)


async def test_an_agents_call_for_somebody_waits_and_nobody_in_its_chain_can_approve_it(
    office: World,
) -> None:
    key, outsider = await office.key(), await office.key("user:eve", "globex")
    steps = asyncio.create_task(
        office.steps(key, "researcher", {"tool": "tools__add", "arguments": {"a": 7, "b": 2}})
    )
    asked = await waiting(office)
    assert asked["actors"] == ["user:alice", "agent:researcher"]
    path = f"/admin/api/approvals/{asked['id']}/approve"
    researcher = await office.key("agent:researcher")
    for who, status in ((key, 403), (researcher, 403), (outsider, 404)):
        assert (await office.stack.send("POST", path, key=who, body={})).status == status
    assert (await office.stack.send("POST", path, key=await office.key("user:bob"), body={})).status == 200
    assert "ok" in (await steps)[0][0], await steps


async def test_nobody_in_time_is_a_no_and_later_word_lets_the_same_call_through(office: World) -> None:
    key = await office.key()
    error = (await add(office, key, 50)).json["error"]
    id = error["data"]["approval"]
    assert (error["data"]["state"], f"gatestack approvals approve {id}" in error["message"]) == (
        "pending",
        True,
    )
    assert (await say(office, "approvals", "approve", id)).code == 0
    assert (await add(office, key, 50)).json["result"]["content"][0]["text"] == "52"


async def test_models_and_agents_wait_too_and_a_kill_ends_the_waiting(office: World) -> None:
    key = await office.key("user:carol")
    chat = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}
    call = asyncio.create_task(office.stack.send("POST", "/v1/chat/completions", key=key, body=chat))
    asked = await waiting(office)
    assert asked["service"] == "llm_gateway"
    await say(office, "approvals", "approve", asked["id"])
    assert (await call).status == 200
    message = {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
    headers = {"a2a-version": "1.0"}
    call = asyncio.create_task(
        office.stack.send("POST", "/agents/patient", key=key, body=body, headers=headers)
    )
    asked = await waiting(office)
    assert asked["service"] == "agent_gateway"
    killed = await office.stack.admin(
        "POST", "/kills", {"selector": {"user": "user:carol"}, "reason": "stop"}
    )
    # The edge may be cut while it passes on what the gateway says of its own end.
    await asyncio.gather(call, return_exceptions=True)
    await office.stack.admin("DELETE", f"/kills/{killed.json['id']}")

    async def withdrawn() -> bool:
        found = await office.stack.admin("GET", f"/approvals/{asked['id']}")
        return bool(found.json["state"] == "withdrawn")

    await eventually(withdrawn, "what was asked, taken back")
