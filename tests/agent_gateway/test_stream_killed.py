"""A kill cuts an agent's stream in the client's format, and takes the task along that its call works on."""

import asyncio
from pathlib import Path

import pytest

from agent_gateway import cancel
from shared import account
from shared.asgi import Send
from tests.agent_gateway.gateway import Gateway, gateway, message, request
from tests.agent_gateway.test_stream import _error, _event, _status
from tests.support.agents import Heard, Patient, agent, begin, more, scripted
from tests.support.serve import someone
from tests.support.wait import eventually


@pytest.mark.parametrize("selector", [{"agent": "writer"}, {"user": "user:alice"}, {"chain": "c1"}])
async def test_a_kill_ends_the_stream_in_the_clients_format_and_cancels_the_task(
    tmp_path: Path, selector: dict[str, str]
) -> None:
    patient = Patient()
    async with agent(patient) as writer, gateway(tmp_path, writer=writer) as gate:
        caller = someone(chain="c1")
        async with gate.stream("writer", caller=caller) as events:
            await events.take(3)
            await gate.edge.kill(gate.parts, **selector)
            [last] = await events.take(1)
        assert _error(last)["code"] == -32000
        assert _error(last)["data"][0]["reason"] == "KILLED"
        row = await gate.row(outcome="killed")
        assert await eventually(lambda: patient.cancelled, "the task cancelled upstream") == [row.task]
        refused = await gate.call("writer", "SendMessage", message(), caller)
        assert refused.json["error"]["data"][0]["reason"] == "KILLED"
        assert len(writer.calls()) == 0


async def test_a_kill_takes_the_task_of_a_blocking_call_along(tmp_path: Path) -> None:
    patient = Patient()
    async with agent(patient) as writer, gateway(tmp_path, writer=writer) as gate:
        task = await _working(gate)
        follow = request("SendMessage", message("more", taskId=task))
        waiting = asyncio.create_task(gate.post("writer", follow))
        await eventually(lambda: len(writer.calls()) == 2, "the second message at the agent")
        await gate.edge.kill(gate.parts, agent="agent:writer")
        answer = await waiting
        assert answer.json["error"]["data"][0]["reason"] == "KILLED"
        assert await eventually(lambda: patient.cancelled, "the task cancelled upstream") == [task]


async def test_a_kill_that_the_edge_obeys_first_still_cancels_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long the order takes on a busy machine.
    monkeypatch.setattr(cancel, "_LOOKS", 150)
    monkeypatch.setattr(account, "_CUT_SECONDS", 20.0)
    patient = Patient()
    async with agent(patient) as writer, gateway(tmp_path, writer=writer) as gate:
        async with gate.stream("writer") as events:
            await events.take(3)
        await gate.row(outcome="client_gone")
        await gate.edge.kill(gate.parts, agent="writer")
        await eventually(lambda: patient.cancelled, "the task cancelled upstream")


async def test_a_kill_leaves_tasks_alone_that_were_only_looked_at_or_have_ended(tmp_path: Path) -> None:
    async def script(heard: Heard, send: Send) -> None:
        await begin(send)
        if heard.body["method"] == "SendStreamingMessage":
            await more(send, _event("r1", _status("COMPLETED")))
        await asyncio.Event().wait()

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        async with gate.stream("writer") as events:
            await events.take(1)
        await gate.edge.kill(gate.parts, agent="writer")
        assert writer.calls("CancelTask") == []


async def _working(gate: Gateway) -> str:
    body = message() | {"configuration": {"returnImmediately": True}}
    task: str = (await gate.call("writer", "SendMessage", body)).json["result"]["task"]["id"]
    return task
