"""Official clients reach official agents through the gateway: card, send, get, cancel, and what the
ledger says of it.
"""

from pathlib import Path

import pytest
from a2a.types import CancelTaskRequest, GetTaskRequest, SubscribeToTaskRequest, TaskState
from a2a.utils.errors import TaskNotCancelableError, TaskNotFoundError

from shared.limits.limiter import Limiter
from tests.agent_gateway.gateway import Gateway, asked, gateway, message, said
from tests.support.agents import Asking, Echo, Parts, Patient, agent
from tests.support.serve import someone
from tests.support.wait import eventually


async def test_a_message_gets_its_answer_and_the_ledger_an_entry(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        async with gate.client("writer") as client:
            assert await said(client, "hello") == ["echo: hello"]
        row = await gate.row(
            service="agent_gateway",
            resource="agent:writer",
            action="invoke",
            decision="allow",
            outcome="completed",
            agent="writer",
            principal="user:alice",
            status=200,
            attempts=1,
        )
        assert row.context == ""
        assert row.trace_id == "1" * 32
        assert row.upstream_us > 0


async def test_a_tasks_result_is_whole_and_its_ids_are_on_record(tmp_path: Path) -> None:
    async with (
        agent(Parts()) as writer,
        gateway(tmp_path, writer=writer) as gate,
        gate.client("writer") as client,
    ):
        [response] = [one async for one in client.send_message(asked())]
        task = response.task
        assert task.status.state == TaskState.TASK_STATE_COMPLETED
        assert "".join(part.text for part in task.artifacts[0].parts) == "onetwothree"
        await gate.row(task=task.id, context=task.context_id)
        again = await client.get_task(GetTaskRequest(id=task.id))
        assert again == task
        await gate.row(action="read", task=task.id, request_id=(await gate.row()).request_id)


async def test_a_conversation_goes_on_in_the_same_task(tmp_path: Path) -> None:
    async with (
        agent(Asking()) as writer,
        gateway(tmp_path, writer=writer) as gate,
        gate.client("writer") as client,
    ):
        [first] = [one async for one in client.send_message(asked("one of them"))]
        assert first.task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        follow = asked("the red one", task_id=first.task.id, context_id=first.task.context_id)
        [second] = [one async for one in client.send_message(follow)]
        assert second.task.status.state == TaskState.TASK_STATE_COMPLETED
        assert second.task.id == first.task.id


async def test_a_task_is_cancelled_at_its_agent(tmp_path: Path) -> None:
    patient = Patient()
    async with (
        agent(patient) as writer,
        gateway(tmp_path, writer=writer) as gate,
        gate.client("writer") as client,
    ):
        task = await _started(gate)
        cancelled = await client.cancel_task(CancelTaskRequest(id=task))
        assert cancelled.status.state == TaskState.TASK_STATE_CANCELED
        assert patient.cancelled == [task]
        await gate.row(action="cancel", task=task, outcome="completed", detail="the task ended as canceled")
        with pytest.raises(TaskNotCancelableError):
            await client.cancel_task(CancelTaskRequest(id=task))
        row = await gate.row(action="cancel", outcome="failed", reason="upstream_refused")
        assert row.detail == "the agent answered error -32002"


async def test_a_task_is_listened_to_again_after_its_first_stream(tmp_path: Path) -> None:
    patient = Patient()
    async with (
        agent(patient) as writer,
        gateway(tmp_path, writer=writer) as gate,
        gate.client("writer", streaming=True) as client,
    ):
        task = await _started(gate)
        events = client.subscribe(SubscribeToTaskRequest(id=task))
        first = await anext(events)
        assert first.task.id == task
        patient.end.set()
        last = [event async for event in events][-1]
        assert last.status_update.status.state == TaskState.TASK_STATE_COMPLETED
        await gate.row(action="read", task=task, outcome="completed")


async def test_what_was_never_there_is_not_found(tmp_path: Path) -> None:
    async with (
        agent(Echo()) as writer,
        gateway(tmp_path, writer=writer) as gate,
        gate.client("writer") as client,
    ):
        with pytest.raises(TaskNotFoundError):
            await client.get_task(GetTaskRequest(id="nothing"))
        assert not writer.calls("GetTask")
        await gate.row(outcome="refused", reason="not_found", status=200)


async def test_the_agent_hears_version_trace_and_tenant_from_the_gateway_and_nothing_of_the_callers(
    tmp_path: Path,
) -> None:
    settings = {"writer": {"tenant": "its-own", "headers": {"X-Writer-Key": "${WRITER_KEY}"}}}
    section = {"extensions": ["https://e.example/a"]}
    environ = {"WRITER_KEY": "static"}
    async with agent(Echo()) as writer:
        async with gateway(
            tmp_path, writer=writer, settings=settings, section=section, environ=environ
        ) as gate:
            headers = {
                "a2a-extensions": "https://e.example/a, https://e.example/b",
                "cookie": "session=1",
                "x-secret": "mine",
                "traceparent": f"00-{'1' * 32}-{'a' * 16}-00",
            }
            body = {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "SendMessage",
                "params": message() | {"tenant": "acme"},
            }
            assert (await gate.post("writer", body, headers=headers)).status == 200
        [heard] = writer.calls()
    assert heard.headers["x-writer-key"] == "static"
    assert heard.body["params"]["tenant"] == "its-own"
    assert heard.headers["a2a-version"] == "1.0"
    assert heard.headers["a2a-extensions"] == "https://e.example/a"
    assert heard.headers["traceparent"].startswith(f"00-{'1' * 32}-")
    assert heard.headers["traceparent"].split("-")[2] not in ("a" * 16, "2" * 16)
    assert not {"txn-token", "cookie", "x-secret"} & set(heard.headers)


async def test_an_agent_call_counts_against_limits_and_the_chains_budget(tmp_path: Path) -> None:
    limits = [{"name": "few", "per": "agent", "unit": "agent_calls", "amount": 2, "window": "hour"}]
    async with (
        agent(Echo()) as writer,
        agent(Echo()) as reader,
        gateway(tmp_path, writer=writer, reader=reader, section={"limits": limits}) as gate,
    ):
        caller = someone(chain="c1")
        for _ in range(2):
            assert (await gate.call("writer", "SendMessage", message(), caller)).code == 0
        answer = await gate.call("writer", "SendMessage", message(), caller)
        assert answer.status == 429
        assert "few" in answer.message
        assert int(answer.headers["retry-after"]) > 0
        assert len(writer.calls()) == 2
        await gate.row(outcome="refused", reason="limit", status=429)
        assert (await gate.call("reader", "SendMessage", message(), caller)).code == 0
        limiter: Limiter = gate.parts.limiter
        assert (await limiter.state("acme", "c1")).agent_calls == 3


async def _started(gate: Gateway) -> str:
    """The id of a task that works on until it is told to end."""
    answer = await gate.call(
        "writer", "SendMessage", message() | {"configuration": {"returnImmediately": True}}
    )
    task: str = answer.json["result"]["task"]["id"]

    async def working() -> bool:
        found = await gate.call("writer", "GetTask", {"id": task})
        return bool(found.json["result"].get("artifacts"))

    await eventually(working, "the task's first artifact")
    return task
