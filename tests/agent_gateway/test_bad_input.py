"""Whatever a client sends, it gets a clear error in A2A's form: never a 500, never silence."""

from pathlib import Path
from typing import Any

import msgspec

from tests.agent_gateway.gateway import Answer, gateway, message, request
from tests.support.agents import Echo, agent

GOOD = msgspec.json.encode(request("SendMessage", message()))
MEGABYTE = 2**20

# body -> HTTP status, JSON-RPC code
BODIES: list[tuple[Any, int, int]] = [
    (b"", 400, -32700),
    (GOOD[:-10], 400, -32700),
    (b"\x00\xff\xfe", 400, -32700),
    (b'"text"', 400, -32600),
    (b"7", 400, -32600),
    (b"null", 400, -32600),
    (b"[" + GOOD + b"]", 400, -32600),
    (b'{"a":' * 50_000, 400, -32700),
    (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"GetTask","params":{"id":"t"}}', 200, -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"t","id":"u"}}', 200, -32600),
    ({"jsonrpc": "2.0", "id": 1}, 200, -32600),
    ({"jsonrpc": "2.0", "id": 1, "method": 5}, 200, -32600),
    ({"jsonrpc": 2.0, "id": 1, "method": "SendMessage"}, 200, -32600),
    ({"id": 1, "method": "SendMessage"}, 200, -32600),
    ({"jsonrpc": "2.0", "id": [1], "method": "SendMessage"}, 200, -32600),
    ({"jsonrpc": "2.0", "method": "SendMessage", "params": message()}, 200, -32600),
    (request("NoSuch", {}), 200, -32601),
    (request("SendMessage", [message()]), 200, -32602),
    (request("SendMessage", None), 200, -32602),
    (request("SendMessage", {"message": "hi"}), 200, -32602),
    (request("SendMessage", message(taskId={"id": 1})), 200, -32602),
    (request("SendMessage", message(task_id="t")), 200, -32602),
    (request("GetTask", {"id": 12}), 200, -32602),
    (request("GetTask", {}), 200, -32602),
    (request("GetTask", {"id": "t" * MEGABYTE}), 200, -32001),
    (request("message/send", message()), 200, -32009),
    (request("message/think", message()), 200, -32009),
    (request("ListTasks", {"pageSize": "many"}), 200, -32602),
]


async def test_every_bad_body_gets_the_answer_that_fits(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        for body, status, code in BODIES:
            answer = await gate.post("writer", body)
            shown = body[:80] if isinstance(body, bytes) else str(body)[:200]
            assert (shown, answer.status, answer.code) == (shown, status, code)
            _readable(answer)
        assert writer.heard == []


def _readable(answer: Answer) -> None:
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) == {"jsonrpc", "id", "error"}
    assert len(answer.message) > 10
    [info] = answer.json["error"]["data"]
    assert info["metadata"]["call"] == answer.headers["x-gatestack-call"]


async def test_the_answer_carries_the_id_of_the_request_even_when_the_rest_is_wrong(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        for request_id in ("one", 2, None):
            answer = await gate.post("writer", request("GetTask", {"id": []}, request_id))
            assert answer.json["id"] == request_id
        assert writer.heard == []


async def test_headers_that_contradict_the_protocol_are_refused(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        for headers, code in (
            ({"a2a-version": "0.3"}, -32009),
            ({"a2a-version": "2.0"}, -32009),
            ({"content-type": "text/plain"}, -32005),
            ({"content-type": "multipart/form-data; boundary=x"}, -32005),
        ):
            assert (await gate.post("writer", GOOD, headers=headers)).code == code
        assert writer.heard == []


async def test_a_body_of_fifty_megabytes_is_refused_and_the_next_one_served(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        answer = await gate.post("writer", b" " * (50 * MEGABYTE) + GOOD)
        assert (answer.status, answer.code) == (413, -32600)
        await gate.row(outcome="refused", reason="too_large")
        assert (await gate.post("writer", GOOD)).code == 0


# Over HTTP+JSON: method, path below the agent, body -> status, google.rpc's reason
REST: list[tuple[str, str, bytes, int, str]] = [
    ("POST", "/message:send", b"", 400, "INVALID_PARAMS"),
    ("POST", "/message:send", b"{", 400, "INVALID_REQUEST"),
    ("POST", "/message:send", b"[]", 400, "INVALID_PARAMS"),
    ("POST", "/message:send", b'{"a":1,"a":2}', 400, "INVALID_REQUEST"),
    ("POST", "/message:send", b'{"message":{"task_id":"t","parts":[]}}', 400, "INVALID_PARAMS"),
    ("GET", "/tasks?pageSize=many", b"", 400, "INVALID_PARAMS"),
    ("GET", "/tasks?pageSize=1&pageSize=2", b"", 400, "INVALID_PARAMS"),
    ("GET", "/tasks/never", b"", 404, "TASK_NOT_FOUND"),
    ("POST", "/tasks/never:cancel", b"", 404, "TASK_NOT_FOUND"),
    ("GET", "/tasks/never:subscribe", b"", 404, "TASK_NOT_FOUND"),
    ("DELETE", "/tasks/never", b"", 405, "METHOD"),
    ("GET", "/tasks/a/b/c", b"", 404, "METHOD_NOT_FOUND"),
]


async def test_the_same_holds_over_http_json(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        for method, path, body, status, reason in REST:
            answer = await gate.post("writer", body, method=method, path=f"/agents/writer{path}")
            error = answer.json["error"]
            found = (answer.status, error["code"], error["details"][0]["reason"])
            assert (path, body, *found) == (path, body, status, status, reason)
            assert error["details"][0]["metadata"]["call"] == answer.headers["x-gatestack-call"]
        assert writer.heard == []


async def test_message_bombs_are_refused_before_the_agent_hears_of_them(tmp_path: Path) -> None:
    nested = b'{"message":{"messageId":"m","parts":[{"data":' + b"[" * 200_000 + b"]" * 200_000 + b"}]}}"
    bombs: list[Any] = [
        request("SendMessage", message(referenceTaskIds=["t"] * 100_000)),
        request("SendMessage", message(parts=[{"text": ""}] * 100_000)),
        request("SendMessage", message(extensions=["https://e.example/x"] * 100_000)),
        b'{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":' + nested + b"}",
    ]
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        for bomb in bombs:
            answer = await gate.post("writer", bomb)
            assert answer.code in (-32602, -32600, -32700)
        over_rest = await gate.post("writer", nested, path="/agents/writer/message:send")
        assert over_rest.status == 400
        assert writer.heard == []
        assert (await gate.post("writer", GOOD)).code == 0
