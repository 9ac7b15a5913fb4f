"""Over the wire: another's task and one that never was get the very same bytes, and the agent is not even
asked.
"""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared import sse
from shared.asgi import Send
from shared.identity.principal import Caller
from tests.agent_gateway.gateway import Gateway, gateway, message
from tests.support.agents import Echo, Heard, Patient, agent, begin, more, reply, scripted
from tests.support.serve import someone

BOB = someone("user:bob")
STRANGERS = [BOB, someone(tenant="other"), someone("user:alice", "agent:planner")]


async def _task(gate: Gateway, caller: Caller | None = None) -> tuple[str, str]:
    answer = await gate.call(
        "writer", "SendMessage", message() | {"configuration": {"returnImmediately": True}}, caller
    )
    task = answer.json["result"]["task"]
    return task["id"], task["contextId"]


def _attempts(task: str, context: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        ("GetTask", {"id": task}),
        ("CancelTask", {"id": task}),
        ("SubscribeToTask", {"id": task}),
        ("SendMessage", message(taskId=task)),
        ("SendMessage", message(contextId=context)),
        ("SendMessage", message(referenceTaskIds=[task])),
        ("SendStreamingMessage", message(taskId=task, contextId=context)),
    ]


@pytest.mark.parametrize("caller", STRANGERS, ids=["another user", "another tenant", "an agent in between"])
async def test_a_foreign_id_looks_like_one_that_never_was(tmp_path: Path, caller: Caller) -> None:
    async with agent(Patient()) as writer, gateway(tmp_path, writer=writer) as gate:
        task, context = await _task(gate)
        before = len(writer.heard)
        pairs = zip(_attempts(task, context), _attempts("never", "never"), strict=True)
        for (method, foreign), (_, unknown) in pairs:
            one = await gate.call("writer", method, foreign, caller)
            other = await gate.call("writer", method, unknown, caller)
            assert one.code == other.code == -32001
            assert _bare(one.json) == _bare(other.json)
            assert (one.status, set(one.headers)) == (other.status, set(other.headers))
        assert len(writer.heard) == before


def _bare(answer: dict[str, Any]) -> dict[str, Any]:
    """Without the one thing that tells two answers apart: the call's own id."""
    del answer["error"]["data"][0]["metadata"]["call"]
    return answer


async def test_a_task_belongs_to_the_agent_that_gave_it(tmp_path: Path) -> None:
    async with (
        agent(Patient()) as writer,
        agent(Echo()) as reader,
        gateway(tmp_path, writer=writer, reader=reader) as gate,
    ):
        task, context = await _task(gate)
        for method, params in _attempts(task, context):
            assert (await gate.call("reader", method, params)).code == -32001
        assert reader.heard == []


async def test_ids_are_learnt_from_a_stream_before_the_client_sees_them(tmp_path: Path) -> None:
    async def script(heard: Heard, send: Send) -> None:
        if heard.body["method"] == "GetTask":
            result = {"id": heard.body["params"]["id"], "status": {"state": "TASK_STATE_WORKING"}}
            body = {"jsonrpc": "2.0", "id": heard.body["id"], "result": result}
            await reply(send, msgspec.json.encode(body))
            return
        update = {"taskId": "s1", "contextId": "sc", "status": {"state": "TASK_STATE_WORKING"}}
        body = {"jsonrpc": "2.0", "id": heard.body["id"], "result": {"statusUpdate": update}}
        await begin(send)
        await more(send, sse.encode(msgspec.json.encode(body)))
        await asyncio.Event().wait()

    async with (
        scripted(script) as writer,
        gateway(tmp_path, writer=writer) as gate,
        gate.stream("writer") as events,
    ):
        await events.take(1)
        assert (await gate.call("writer", "GetTask", {"id": "s1"})).code == 0
        assert (await gate.call("writer", "GetTask", {"id": "s1"}, BOB)).code == -32001


async def test_an_agent_that_mixes_up_its_callers_is_not_believed(tmp_path: Path) -> None:
    async def script(heard: Heard, send: Send) -> None:
        task: dict[str, Any] = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_COMPLETED"}}
        task["artifacts"] = [{"artifactId": "a", "parts": [{"text": "for alice only"}]}]
        result = {"task": task} if heard.body["method"] == "SendMessage" else task
        await reply(send, msgspec.json.encode({"jsonrpc": "2.0", "id": heard.body["id"], "result": result}))

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        assert (await gate.call("writer", "SendMessage", message())).code == 0
        answer = await gate.call("writer", "SendMessage", message(), BOB)
        assert answer.code == -32006
        assert b"for alice only" not in answer.body
        await gate.row(outcome="failed", reason="upstream_broken", principal="user:bob")


async def test_an_answer_about_another_task_than_the_one_asked_for_is_not_passed_on(tmp_path: Path) -> None:
    async def script(heard: Heard, send: Send) -> None:
        task = {"id": "asked", "status": {"state": "TASK_STATE_WORKING"}}
        result: dict[str, Any] = (
            {"task": task} if heard.body["method"] == "SendMessage" else task | {"id": "other"}
        )
        await reply(send, msgspec.json.encode({"jsonrpc": "2.0", "id": heard.body["id"], "result": result}))

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        assert (await gate.call("writer", "SendMessage", message())).code == 0
        assert (await gate.call("writer", "GetTask", {"id": "asked"})).code == -32006
