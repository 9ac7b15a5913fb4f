"""A kill cuts an agent's stream in the client's format, and takes the task along that its call works on."""

import asyncio
from pathlib import Path

import pytest

from agent_gateway import left
from shared.asgi import Send
from shared.clock import Clock
from shared.identity.keys import KeyRecord
from shared.identity.principal import Caller
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


async def test_a_kill_that_was_heard_of_before_the_call_had_ended_takes_its_task_along(
    tmp_path: Path,
) -> None:
    patient = Patient()
    async with agent(patient) as writer, gateway(tmp_path, writer=writer) as gate:
        task = await _working(gate)
        # Whoever looks after what is left had its turn before the call was one of those.
        gate.parts.kill.obeyed.clear()
        waiting = asyncio.create_task(
            gate.post("writer", request("SendMessage", message("more", taskId=task)))
        )
        await eventually(lambda: len(writer.calls()) == 2, "the second message at the agent")
        await gate.edge.kill(gate.parts, agent="writer")
        await waiting
        assert await eventually(lambda: patient.cancelled, "the task cancelled upstream") == [task]


@pytest.mark.parametrize("selector", [{"agent": "writer"}, {"user": "alice"}, {"chain": "c1"}, {"key": "k1"}])
async def test_a_kill_cancels_the_task_of_a_call_whose_client_has_left(
    tmp_path: Path, selector: dict[str, str]
) -> None:
    patient, caller = Patient(), someone(chain="c1", key="k1")
    async with agent(patient) as writer, gateway(tmp_path, writer=writer) as gate:
        async with gate.stream("writer", caller=caller) as events:
            await events.take(3)
        row = await gate.row(outcome="client_gone")
        await eventually(lambda: gate.parts.kill.open == 0, "no call is open")
        assert writer.calls("CancelTask") == []
        await gate.edge.kill(gate.parts, **selector)
        assert await eventually(lambda: patient.cancelled, "the task cancelled upstream") == [row.task]


async def test_a_kill_cancels_the_task_that_a_call_has_left_working(tmp_path: Path) -> None:
    patient = Patient()
    async with agent(patient) as writer, gateway(tmp_path, writer=writer) as gate:
        task = await _working(gate)
        await gate.edge.kill(gate.parts, agent="writer")
        assert await eventually(lambda: patient.cancelled, "the task cancelled upstream") == [task]
        # Once: an order that follows finds nothing to cancel.
        await gate.edge.kill(gate.parts, user="alice")
        await gate.edge.kill(gate.parts)
        assert await _working(gate) != task
        assert len(writer.calls("CancelTask")) == 1


async def test_a_kill_that_means_another_leaves_the_tasks_of_calls_that_have_ended_alone(
    tmp_path: Path,
) -> None:
    patient = Patient()
    async with agent(patient) as writer, gateway(tmp_path, writer=writer) as gate:
        own = await _working(gate, someone(chain="c1"))
        other = await _working(gate, someone("user:bob", chain="c2"))
        await gate.edge.kill(gate.parts, chain="c2")
        assert await eventually(lambda: patient.cancelled, "the task cancelled upstream") == [other]
        await gate.edge.kill(gate.parts, chain="c1")
        assert await eventually(lambda: patient.cancelled[1:], "the other one, too") == [own]


async def test_a_revoked_key_takes_along_what_was_left_with_it(tmp_path: Path) -> None:
    patient = Patient()
    async with agent(patient) as writer, gateway(tmp_path, writer=writer) as gate:
        task = await _working(gate, someone(key="k1"))
        record = KeyRecord(id="k1", hash="h1", sub="user:alice", tenant="acme", created_at=1, revoked_at=2)
        await gate.edge.keys(gate.parts, [record])
        assert await eventually(lambda: patient.cancelled, "the task cancelled upstream") == [task]


async def test_a_task_that_has_ended_since_is_not_cancelled(tmp_path: Path) -> None:
    patient = Patient()
    async with agent(patient) as writer, gateway(tmp_path, writer=writer) as gate:
        ended, going = await _working(gate), await _working(gate)
        answer = await gate.call("writer", "CancelTask", {"id": ended})
        assert answer.json["result"]["status"]["state"] == "TASK_STATE_CANCELED"
        await gate.edge.kill(gate.parts, agent="writer")
        await eventually(lambda: going in patient.cancelled, "the other one cancelled upstream")
        assert len(writer.calls("CancelTask")) == 2


async def test_of_tasks_that_were_left_those_are_known_that_were_left_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left, "_MOST", 2)
    patient = Patient()
    async with agent(patient) as writer, gateway(tmp_path, writer=writer) as gate:
        tasks = [await _working(gate) for _ in range(3)]
        await gate.edge.kill(gate.parts, agent="writer")
        assert set(await eventually(lambda: patient.cancelled[1:] and patient.cancelled)) == set(tasks[1:])


async def test_a_task_is_left_alone_once_its_owner_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient, clock = Patient(), Clock()
    async with agent(patient) as writer, gateway(tmp_path, writer=writer) as gate:
        monkeypatch.setattr(gate.service.app.state.left, "_clock", clock)
        await _working(gate)
        now, week = clock.monotonic(), 604_800
        monkeypatch.setattr(clock, "monotonic", lambda: now + week + 1)
        late = await _working(gate)
        await gate.edge.kill(gate.parts, agent="writer")
        assert await eventually(lambda: patient.cancelled, "the later one cancelled upstream") == [late]
        assert gate.service.app.state.left.count == 0


async def test_a_task_is_cancelled_with_a_token_of_now(tmp_path: Path) -> None:
    patient = Patient()
    async with agent(patient) as writer, gateway(tmp_path, writer=writer) as gate:
        await _working(gate)
        await gate.edge.kill(gate.parts, agent="writer")
        await eventually(lambda: patient.cancelled, "the task cancelled upstream")
        [sent], [cancelled] = writer.calls("SendMessage"), writer.calls("CancelTask")
        assert cancelled.headers["authorization"].startswith("Bearer ")
        assert cancelled.headers["authorization"] != sent.headers["authorization"]


async def test_a_kill_leaves_tasks_alone_that_were_only_looked_at_or_have_ended(tmp_path: Path) -> None:
    async def script(heard: Heard, send: Send) -> None:
        await begin(send)
        if heard.body["method"] == "SendStreamingMessage":
            await more(send, _event("r1", _status("COMPLETED")))
        await asyncio.Event().wait()

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        async with gate.stream("writer") as events:
            await events.take(1)
        await eventually(lambda: gate.parts.kill.open == 0, "no call is open")
        assert gate.service.app.state.left.count == 0
        await gate.edge.kill(gate.parts, agent="writer")
        assert writer.calls("CancelTask") == []


async def _working(gate: Gateway, caller: Caller | None = None) -> str:
    body = message() | {"configuration": {"returnImmediately": True}}
    task: str = (await gate.call("writer", "SendMessage", body, caller)).json["result"]["task"]["id"]
    return task
