"""Whatever an agent does, its client gets a clear error and the ledger says what happened."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.asgi import Send
from tests.agent_gateway.gateway import gateway, message
from tests.support.agents import Echo, Heard, agent, begin, more, reply, scripted

OK: dict[str, Any] = {"message": {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "fine"}]}}


def _answer(heard: Heard, **fields: Any) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": heard.body["id"], **fields})


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>welcome</html>", "text/html"),
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"{}", "application/json"),
        (b'{"jsonrpc":"2.0","id":"r1","result":{}}', "application/json"),
        (b'{"jsonrpc":"2.0","id":"r1","result":{"task":{"id":5}}}', "application/json"),
        (b'{"jsonrpc":"2.0","id":"another","result":{"message":{"messageId":"m"}}}', "application/json"),
        (b'{"jsonrpc":"2.0","id":"r1","error":"no"}', "application/json"),
        (b'data: {"jsonrpc":"2.0","id":"r1","result":{}}\n\n', "text/event-stream"),
    ],
)
async def test_garbage_is_called_an_invalid_agent_response(tmp_path: Path, body: bytes, kind: str) -> None:
    async def script(_: Heard, send: Send) -> None:
        await reply(send, body, kind=kind)

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        answer = await gate.call("writer", "SendMessage", message())
        assert (answer.status, answer.code) == (200, -32006)
        await gate.row(outcome="failed", reason="upstream_broken")


@pytest.mark.parametrize(
    ("status", "text"),
    [(500, "HTTP 500"), (404, "HTTP 404"), (302, "HTTP 302"), (401, "HTTP 401"), (403, "HTTP 403")],
)
async def test_an_http_error_is_named(tmp_path: Path, status: int, text: str) -> None:
    async def script(_: Heard, send: Send) -> None:
        await reply(send, b"secret stack trace", status=status, kind="text/plain", location="http://other/")

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        answer = await gate.call("writer", "SendMessage", message())
        assert (answer.status, answer.code) == (200, -32603)
        assert text in answer.message
        assert b"secret" not in answer.body
        assert len(writer.heard) == 1
        await gate.row(outcome="failed", reason="upstream_refused")


async def test_a_busy_agents_retry_after_reaches_the_client(tmp_path: Path) -> None:
    async def script(_: Heard, send: Send) -> None:
        await reply(send, b"{}", status=429, retry_after="7")

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        answer = await gate.call("writer", "SendMessage", message())
        assert "HTTP 429" in answer.message
        assert answer.headers["retry-after"] == "7"
        assert answer.json["error"]["data"][1]["retryDelay"] == "7s"
        after = await gate.call("writer", "SendMessage", message())
        assert after.status == 503
        assert 0 < int(after.headers["retry-after"]) <= 7
        assert len(writer.heard) == 1


async def test_an_error_in_json_rpc_is_passed_on_whatever_its_status(tmp_path: Path) -> None:
    async def script(heard: Heard, send: Send) -> None:
        error = {"code": -32005, "message": "no such mode", "data": [{"own": True}]}
        await reply(send, _answer(heard, error=error), status=400)

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        answer = await gate.call("writer", "SendMessage", message())
        assert (answer.status, answer.code) == (200, -32005)
        assert answer.json["error"]["data"] == [{"own": True}]
        await gate.row(outcome="failed", reason="upstream_refused", detail="the agent answered error -32005")


async def test_an_agent_that_never_answers_is_given_up(tmp_path: Path) -> None:
    async def script(_: Heard, send: Send) -> None:
        await asyncio.Event().wait()

    settings = {"writer": {"timeouts": {"header_seconds": 0.05}}}
    async with scripted(script) as writer, gateway(tmp_path, writer=writer, settings=settings) as gate:
        answer = await gate.call("writer", "SendMessage", message())
        assert answer.code == -32603
        assert answer.json["error"]["data"][0]["reason"] == "UPSTREAM_TIMEOUT"
        await gate.row(outcome="failed", reason="upstream_timeout")


async def test_an_answer_that_is_cut_is_not_passed_on(tmp_path: Path) -> None:
    async def script(heard: Heard, send: Send) -> None:
        await begin(send, kind="application/json")
        await more(send, _answer(heard, result=OK)[:-5])
        raise RuntimeError

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        answer = await gate.call("writer", "SendMessage", message())
        assert answer.code == -32006
        await gate.row(outcome="failed", reason="upstream_broken")


async def test_an_answer_that_has_no_end_is_given_up(tmp_path: Path) -> None:
    async def script(_: Heard, send: Send) -> None:
        await begin(send, kind="application/json")
        for _piece in range(10):
            await more(send, b" " * 65_536)
        await asyncio.Event().wait()

    section = {"max_reply_bytes": 200_000}
    async with scripted(script) as writer, gateway(tmp_path, writer=writer, section=section) as gate:
        answer = await gate.call("writer", "SendMessage", message())
        assert "larger than 200000 bytes" in answer.message


async def test_an_agent_that_is_gone_is_left_alone_for_a_while_and_others_are_not(tmp_path: Path) -> None:
    async with agent(Echo()) as writer:
        pass
    async with agent(Echo()) as reader, gateway(tmp_path, writer=writer, reader=reader) as gate:
        for _ in range(5):
            answer = await gate.call("writer", "SendMessage", message())
            assert (answer.status, answer.code) == (200, -32603)
            assert answer.json["error"]["data"][0]["reason"] == "UPSTREAM_UNREACHABLE"
        answer = await gate.call("writer", "SendMessage", message())
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
        assert (await gate.call("reader", "SendMessage", message())).code == 0


async def test_a_client_that_leaves_ends_the_wait_for_the_agent(tmp_path: Path) -> None:
    heard_of = asyncio.Event()

    async def script(_: Heard, send: Send) -> None:
        heard_of.set()
        await asyncio.Event().wait()

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        call = asyncio.create_task(gate.call("writer", "SendMessage", message()))
        await heard_of.wait()
        call.cancel()
        await gate.row(outcome="client_gone", attempts=1)
