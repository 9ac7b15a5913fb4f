"""Bad input through the edge gets a clear error in the caller's dialect: never a 500, never a hang."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.stack.conftest import World
from tests.support.answer import Answer
from tests.support.providers import completion, cut, error, sending, whole
from tests.support.wait import SECONDS

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(180),
]

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
MCP = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28"}
A2A = {"a2a-version": "1.0"}
CHAT = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}
BODIES = {
    "truncated": b'{"model": "fast", "messages": [',
    "no object": b"[1, 2]",
    "a number": b"7",
    "no text": b"\xff\xfe\x00",
    "empty": b"",
    "doubled key": b'{"jsonrpc":"2.0","id":1,"model":"fast","model":"secret","method":"a","method":"b"}',
    "escaped doubled key": b'{"jsonrpc":"2.0","id":1,"model":"a","mod\\u0065l":"b","method":"c"}',
    "deep": b'{"model":' + b"[" * 50_000,
    "wrong types": b'{"jsonrpc":"2.0","id":1,"model":7,"messages":"x","method":7,"params":7}',
}
ENDPOINTS: dict[str, tuple[str, dict[str, str]]] = {
    "openai": ("/v1/chat/completions", {}),
    "mcp": ("/mcp", {**MCP, "mcp-method": "tools/list"}),
    "mcp server": ("/servers/tools/mcp", {"accept": MCP["accept"]}),
    "a2a": ("/agents/planner", A2A),
}


def clear(answer: Answer, endpoint: str) -> None:
    """A refusal in the form that this endpoint's clients read, with words in it."""
    assert 200 <= answer.status < 500, (answer.status, answer.body)
    error = answer.json["error"]
    assert len(error["message"]) > 10
    assert ("code" in error) if endpoint == "openai" else isinstance(error["code"], int)
    assert "Traceback" not in answer.body.decode()


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_bodies_that_are_no_requests_are_refused_clearly(world: World, endpoint: str) -> None:
    key = await world.key()
    path, headers = ENDPOINTS[endpoint]
    for body in BODIES.values():
        clear(await world.stack.send("POST", path, key=key, body=body, headers=headers), endpoint)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_a_body_of_50_megabytes_is_refused_clearly(world: World, endpoint: str) -> None:
    path, headers = ENDPOINTS[endpoint]
    body = b'{"jsonrpc":"2.0","id":1,"x":"' + b"x" * 50_000_000 + b'"}'
    key = await world.key()
    announced = await world.stack.send("POST", path, key=key, body=body, headers=headers)
    assert announced.status == 413
    clear(announced, endpoint)

    async def unannounced() -> AsyncIterator[bytes]:
        for place in range(0, len(body), 1_000_000):
            yield body[place : place + 1_000_000]

    sent = {"authorization": f"Bearer {key}", "content-type": "application/json", **headers}
    async with await world.stack.http.send(
        "POST", world.url + path, headers=list(sent.items()), body=unannounced()
    ) as reply:
        assert reply.status == 413


async def first_line(world: World, head: str, body: bytes = b"") -> str:
    """How the edge answers a request that no HTTP library would send."""
    host, port = world.url.removeprefix("http://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        key = await world.key()
        writer.write(f"{head}\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\r\n".encode() + body)
        return (await asyncio.wait_for(reader.readline(), SECONDS)).decode()
    finally:
        writer.close()


async def test_a_body_with_two_lengths_is_refused(world: World) -> None:
    head = "POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 70000\r\ntransfer-encoding: chunked"
    assert " 400 " in await first_line(world, head, b"3\r\nabc\r\n0\r\n\r\n")


async def test_a_websocket_is_turned_away(world: World) -> None:
    head = (
        "GET /v1/realtime HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
    )
    assert " 400 " in await first_line(world, head)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "nothing"},
        {"model": ""},
        {"model": None},
        {"messages": "hi"},
        {"messages": None},
        {"stream": "yes"},
        {"max_tokens": -1},
        {"max_tokens": "many"},
        {"stream": True, "stream_options": 7},
    ],
    ids=str,
)
async def test_chat_requests_of_wrong_types_say_what_is_wrong(world: World, change: dict[str, Any]) -> None:
    body = {k: v for k, v in {**CHAT, **change}.items() if v is not None}
    clear(await world.stack.send("POST", "/v1/chat/completions", key=await world.key(), body=body), "openai")


def rpc(method: str, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"mcp-method": "tools/list"}, rpc("tools/call", {"name": "tools__echo", "_meta": META})),
        (
            {"mcp-method": "tools/call", "mcp-name": "x"},
            rpc("tools/call", {"name": "tools__echo", "_meta": META}),
        ),
        ({"mcp-method": "tools/call"}, rpc("tools/call", {"name": "tools__echo", "_meta": META})),
        ({"mcp-method": "tools/list"}, rpc("tools/list", {})),
        ({"mcp-method": "nothing/here"}, rpc("nothing/here", {"_meta": META})),
        (
            {"mcp-method": "tools/call", "mcp-name": "nothing"},
            rpc("tools/call", {"name": "nothing", "arguments": {}, "_meta": META}),
        ),
        (
            {"mcp-method": "tools/call", "mcp-name": "tools__add"},
            rpc("tools/call", {"name": "tools__add", "arguments": {"a": "one"}, "_meta": META}),
        ),
        (
            {"mcp-method": "tools/call", "mcp-name": "tools__add"},
            rpc("tools/call", {"name": "tools__add", "arguments": [1], "_meta": META}),
        ),
        (
            {"mcp-protocol-version": "1999-01-01", "mcp-method": "tools/list"},
            rpc("tools/list", {"_meta": META}),
        ),
    ],
)
async def test_tool_requests_that_do_not_fit_say_what_is_wrong(
    world: World, headers: dict[str, str], body: dict[str, Any]
) -> None:
    answer = await world.stack.send("POST", "/mcp", key=await world.key(), body=body, headers=MCP | headers)
    clear(answer, "mcp")
    assert answer.json["id"] == 7


@pytest.mark.parametrize(
    ("agent", "body", "headers"),
    [
        ("nobody", rpc("SendMessage", {"message": {}}), A2A),
        ("planner", rpc("Nothing", {}), A2A),
        ("planner", rpc("SendMessage", {}), A2A),
        ("planner", rpc("SendMessage", {"message": "hi"}), A2A),
        ("planner", rpc("GetTask", {"id": 7}), A2A),
        ("planner", rpc("GetTask", {"id": "unknown"}), A2A),
        ("planner", rpc("SendMessage", {"message": {}}), {"a2a-version": "9.9"}),
    ],
)
async def test_agent_requests_that_do_not_fit_say_what_is_wrong(
    world: World, agent: str, body: dict[str, Any], headers: dict[str, str]
) -> None:
    answer = await world.stack.send(
        "POST", f"/agents/{agent}", key=await world.key(), body=body, headers=headers
    )
    clear(answer, "a2a")


async def test_a_doubled_credential_header_is_refused(world: World) -> None:
    key = await world.key()
    two = [("authorization", f"Bearer {key}"), ("authorization", f"Bearer {key}")]
    async with await world.stack.http.send("GET", f"{world.url}/v1/models", headers=two) as reply:
        assert reply.status in (400, 401)


@pytest.mark.parametrize(
    ("model", "behaviour", "status"),
    [
        ("bad-garbage", whole(b"<html>no</html>"), 502),
        ("bad-cut", cut, 502),
        ("bad-429", error(429, retry_after=3), 429),
        ("bad-500", error(500), 502),
        ("bad-401", error(401), 502),
        ("bad-400", error(400), 400),
    ],
)
async def test_what_a_provider_does_wrong_is_told_clearly(
    world: World, model: str, behaviour: Any, status: int
) -> None:
    world.provider.will(behaviour)
    key = await world.key("user:bob")
    try:
        answer = await world.stack.send(
            "POST", "/v1/chat/completions", key=key, body={**CHAT, "model": model}
        )
    finally:
        world.provider.will(completion("hello"))
    assert answer.status == status, answer.body
    assert len(answer.json["error"]["message"]) > 5
    if status == 429:
        assert int(answer.headers["retry-after"]) >= 1


async def test_a_stream_that_is_cut_ends_with_an_error_event(world: World) -> None:
    world.provider.will(sending([b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'], then=cut))
    body = {**CHAT, "model": "bad-stream", "stream": True}
    try:
        answer = await world.stack.send(
            "POST", "/v1/chat/completions", key=await world.key("user:bob"), body=body
        )
    finally:
        world.provider.will(completion("hello"))
    assert answer.status == 200
    events = [line[6:] for line in answer.body.split(b"\n") if line.startswith(b"data: ")]
    assert b'"content":"a"' in events[0]
    assert "error" in msgspec.json.decode(events[-1])
