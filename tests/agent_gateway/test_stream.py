"""Streams go through event by event, end on record, and end with an error in the client's own format when
they are cut.
"""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from a2a.types import TaskState
from a2a.utils.errors import InvalidAgentResponseError
from msgspec import Raw

from agent_gateway import relay
from shared import jsonrpc, sse
from shared.asgi import Send
from tests.agent_gateway.gateway import asked, gateway
from tests.support.agents import Heard, Parts, Patient, agent, begin, more, reply, scripted
from tests.support.serve import rows


def _event(request_id: Any, result: Any) -> bytes:
    return sse.encode(msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "result": result}))


def _status(state: str, task: str = "t") -> dict[str, Any]:
    return {"statusUpdate": {"taskId": task, "contextId": "c", "status": {"state": f"TASK_STATE_{state}"}}}


TASK = {"task": {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}}


def _error(event: bytes) -> dict[str, Any]:
    error: dict[str, Any] = msgspec.json.decode(sse.data_of(event))["error"]
    return error


async def test_an_official_client_gets_every_event_of_an_official_agent(tmp_path: Path) -> None:
    async with (
        agent(Parts()) as writer,
        gateway(tmp_path, writer=writer) as gate,
        gate.client("writer", streaming=True) as client,
    ):
        events = [event async for event in client.send_message(asked())]
        pieces = [part.text for event in events for part in event.artifact_update.artifact.parts]
        assert pieces == ["one", "two", "three"]
        assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
        task = events[0].task
        await gate.row(task=task.id, context=task.context_id, outcome="completed", detail="")


async def test_an_event_leaves_before_the_next_one_arrives_and_no_byte_of_it_changes(tmp_path: Path) -> None:
    told = asyncio.Event()
    first = b": a comment\r\n\r\n"
    second = (
        b'id: 7\ndata: {"result":' + msgspec.json.encode(TASK) + b',\ndata: "jsonrpc":"2.0", "id":"r1"}\n\n'
    )
    last = _event("r1", _status("COMPLETED"))

    async def script(_: Heard, send: Send) -> None:
        await begin(send)
        await more(send, first + second[:20])
        await more(send, second[20:])
        await told.wait()
        await more(send, last + b"data: what comes after the end is not for the client\n\n")

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        async with gate.stream("writer") as events:
            assert events.kind == "text/event-stream; charset=utf-8"
            assert b"".join(await events.take(2)) == first + second
            assert await rows(gate.parts.redis) == []
            told.set()
            assert await events.take(1) == [last]
        await gate.row(outcome="completed", task="t", context="c")


async def test_events_that_came_together_before_one_that_is_none_still_go_out(tmp_path: Path) -> None:
    async def script(_: Heard, send: Send) -> None:
        await begin(send)
        both = _event("r1", TASK) + _event("r1", _status("WORKING"))
        await more(send, both + b"data: not json\n\n" + _event("r1", _status("COMPLETED")))
        await asyncio.Event().wait()

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        async with gate.stream("writer") as events:
            first, second, error = await events.take(3)
            assert await events.take(1) == []
        assert (first, second) == (_event("r1", TASK), _event("r1", _status("WORKING")))
        assert _error(error)["code"] == -32006


async def test_the_entry_is_durable_before_the_last_event_leaves(tmp_path: Path) -> None:
    async def script(_: Heard, send: Send) -> None:
        await begin(send)
        await more(send, _event("r1", TASK) + _event("r1", _status("FAILED")))
        await asyncio.Event().wait()

    async with (
        scripted(script) as writer,
        gateway(tmp_path, writer=writer) as gate,
        gate.stream("writer") as events,
    ):
        await events.take(2)
        [row] = await rows(gate.parts.redis)
        assert (row.outcome, row.detail) == ("completed", "the task ended as failed")


async def test_a_stream_that_is_cut_ends_with_an_error_event(tmp_path: Path) -> None:
    async def script(heard: Heard, send: Send) -> None:
        if heard.body["method"] == "SubscribeToTask":
            await reply(send, jsonrpc.error(Raw(b"1"), -32004, "not here"))
            return
        await begin(send)
        await more(send, _event("r1", TASK))
        raise RuntimeError

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        async with gate.stream("writer") as events:
            [_, last] = await events.take(2)
        assert _error(last)["code"] == -32006
        assert "cut off" in _error(last)["message"]
        await gate.row(outcome="broken", reason="upstream_broken", task="t")


async def test_a_stream_that_is_cut_is_taken_up_again_and_nothing_is_lost(tmp_path: Path) -> None:
    """What was said in between is in the task with which a subscription begins."""

    async def script(heard: Heard, send: Send) -> None:
        await begin(send)
        if heard.body["method"] == "SendStreamingMessage":
            await more(send, _event("r1", TASK) + _event("r1", _status("WORKING")))
            raise RuntimeError
        between = {"artifactId": "a", "parts": [{"text": "said in between"}]}
        snapshot = {"task": TASK["task"] | {"artifacts": [between]}}
        await more(send, _event(heard.body["id"], snapshot))
        if len(writer.calls("SubscribeToTask")) < 3:
            raise RuntimeError
        await more(send, _event(heard.body["id"], _status("COMPLETED")))

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        async with gate.stream("writer") as events:
            got = [msgspec.json.decode(sse.data_of(event)) for event in await events.take(9)]
        assert {event["id"] for event in got} == {"r1"}
        assert "said in between" in str(got[2])
        assert got[-1]["result"] == _status("COMPLETED")
        bearers = {one.bearer for one in writer.heard}
        assert len(bearers) == 1
        await gate.row(outcome="completed", task="t")


async def test_a_stream_that_ends_too_early_is_taken_up_again(tmp_path: Path) -> None:
    async def script(heard: Heard, send: Send) -> None:
        await begin(send)
        first = heard.body["method"] == "SendStreamingMessage"
        await more(send, _event(heard.body["id"], TASK))
        await more(send, b"" if first else _event(heard.body["id"], _status("COMPLETED")))
        await send({"type": "http.response.body", "body": b""})

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        async with gate.stream("writer") as events:
            got = await events.take(9)
        assert msgspec.json.decode(sse.data_of(got[-1]))["result"] == _status("COMPLETED")


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: not json\n\n",
        b'data: {"jsonrpc":"2.0","id":"r1","result":{}}\n\n',
        b'data: {"jsonrpc":"2.0","id":"other","result":{"message":{"messageId":"m"}}}\n\n',
        b"data: half an event",
    ],
)
async def test_an_event_that_is_none_is_not_passed_on(tmp_path: Path, garbage: bytes) -> None:
    async def script(_: Heard, send: Send) -> None:
        await begin(send)
        await more(send, _event("r1", TASK) + garbage)
        await send({"type": "http.response.body", "body": b""})

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        async with gate.stream("writer") as events:
            [_, last] = await events.take(2)
        assert _error(last)["code"] == -32006
        await gate.row(outcome="broken", reason="upstream_broken")


async def test_the_official_client_raises_what_a_cut_stream_ends_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_PAUSE_SECONDS", 0.001)

    async def script(heard: Heard, send: Send) -> None:
        await begin(send)
        await more(send, _event(heard.body["id"], TASK))
        raise RuntimeError

    async with agent(Parts()) as real, scripted(script) as writer:
        settings = {"writer": {"card_url": real.card_url}}
        async with (
            gateway(tmp_path, writer=writer, settings=settings) as gate,
            gate.client("writer", streaming=True) as client,
        ):
            with pytest.raises(InvalidAgentResponseError):
                _ = [event async for event in client.send_message(asked())]


async def test_an_agents_own_error_ends_the_stream_and_the_call_counts_as_failed(tmp_path: Path) -> None:
    async def script(_: Heard, send: Send) -> None:
        await begin(send)
        body = {"jsonrpc": "2.0", "id": None, "error": {"code": -32603, "message": "I am lost"}}
        await more(send, _event("r1", TASK) + sse.encode(msgspec.json.encode(body)))
        await asyncio.Event().wait()

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        async with gate.stream("writer") as events:
            [_, last] = await events.take(2)
        assert _error(last)["message"] == "I am lost"
        assert msgspec.json.decode(sse.data_of(last))["id"] == "r1"
        await gate.row(outcome="failed", reason="upstream_refused")


async def test_a_stream_that_falls_silent_is_ended(tmp_path: Path) -> None:
    async def script(_: Heard, send: Send) -> None:
        await begin(send)
        await more(send, _event("r1", TASK))
        await asyncio.Event().wait()

    settings = {"writer": {"timeouts": {"idle_seconds": 1}}}
    async with scripted(script) as writer, gateway(tmp_path, writer=writer, settings=settings) as gate:
        async with gate.stream("writer") as events:
            [_, last] = await events.take(2)
        assert "silent" in _error(last)["message"]
        await gate.row(outcome="broken", reason="upstream_timeout")


async def test_a_client_that_leaves_closes_the_agents_stream_and_cancels_nothing(tmp_path: Path) -> None:
    patient = Patient()
    async with agent(patient) as writer, gateway(tmp_path, writer=writer) as gate:
        async with gate.stream("writer") as events:
            await events.take(3)
        row = await gate.row(outcome="client_gone")
        state = await gate.call("writer", "GetTask", {"id": row.task})
        assert state.json["result"]["status"]["state"] == "TASK_STATE_WORKING"
        assert patient.cancelled == []
