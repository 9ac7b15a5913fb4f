"""The official client over every wire, against an official agent over every wire: nothing is lost between any
two.
"""

import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest
from a2a.client import Client
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Message,
    Part,
    Role,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value

from agent_gateway.call import Wire
from tests.agent_gateway.gateway import Gateway, asked, gateway
from tests.support.agents import RunningAgent, Versatile, agent
from tests.support.wait import eventually

WIRES = get_args(Wire)
PAIRS = list(itertools.product(WIRES, WIRES))
every_pair = pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=[" to ".join(pair) for pair in PAIRS])


@contextlib.asynccontextmanager
async def between(
    tmp_path: Path, executor: Versatile, ours: Wire, theirs: Wire, *, streaming: bool = True
) -> AsyncIterator[tuple[Gateway, Client]]:
    """A client that speaks `ours`, and an agent that is spoken to in `theirs`."""
    async with (
        agent(executor) as writer,
        gateway(tmp_path, writer=writer, settings={"writer": spoken(writer, theirs)}) as gate,
        gate.client("writer", streaming=streaming, wire=ours) as client,
    ):
        yield gate, client


def spoken(running: RunningAgent, wire: Wire) -> dict[str, str]:
    binding, version = wire.split("/")
    url = running.url if binding == "JSONRPC" else running.rest_url
    return {"url": url, "binding": binding, "version": version}


def everything(theirs: Wire) -> SendMessageRequest:
    """A message with every kind of part that the agent's SDK can read."""
    parts = [
        Part(text="some text"),
        Part(url="https://files.example/b.pdf", filename="b.pdf", media_type="application/pdf"),
        Part(data=ParseDict({"n": 1.5, "deep": {"list": [1, "two", None, True]}}, Value())),
    ]
    # The SDK's server takes the bytes of a file for base64 once more where it speaks 0.3 over HTTP+JSON.
    if theirs != "HTTP+JSON/0.3":
        parts.append(Part(raw=b"\x00\x01\xff", filename="a.bin", media_type="application/octet-stream"))
    return SendMessageRequest(message=Message(message_id="m", role=Role.ROLE_USER, parts=parts))


async def last(events: AsyncIterator[StreamResponse]) -> list[StreamResponse]:
    return [event async for event in events]


@every_pair
async def test_text_files_and_data_come_back_as_they_were_sent(
    tmp_path: Path, ours: Wire, theirs: Wire
) -> None:
    async with between(tmp_path, Versatile(), ours, theirs, streaming=False) as (_, client):
        request = everything(theirs)
        [event] = await last(client.send_message(request))
        task = event.task
        assert task.status.state == TaskState.TASK_STATE_COMPLETED
        assert task.status.message.parts[0].text == "done"
        [artifact] = task.artifacts
        assert list(artifact.parts) == [*request.message.parts, Part(text="and more")]
        assert artifact.name == "what came"
        assert task.history[0].parts == request.message.parts


@every_pair
async def test_a_stream_brings_every_event_and_the_task_can_be_asked_for(
    tmp_path: Path, ours: Wire, theirs: Wire
) -> None:
    async with between(tmp_path, Versatile(), ours, theirs) as (gate, client):
        events = await last(client.send_message(asked("go")))
        assert [event.WhichOneof("payload") for event in events] == [
            *("task", "status_update"),
            *("artifact_update", "artifact_update", "status_update"),
        ]
        assert [event.artifact_update.append for event in events[2:4]] == [False, True]
        assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
        task = await client.get_task(GetTaskRequest(id=events[0].task.id, history_length=1))
        assert task.artifacts[0].parts[-1].text == "and more"
        assert len(task.history) == 1
        await gate.row(task=task.id, context=task.context_id, outcome="completed")


@every_pair
async def test_a_task_is_cancelled_and_one_that_has_ended_cannot_be(
    tmp_path: Path, ours: Wire, theirs: Wire
) -> None:
    executor = Versatile()
    async with between(tmp_path, executor, ours, theirs) as (_, client):
        task = await started(client)
        cancelled = await client.cancel_task(CancelTaskRequest(id=task.id))
        assert cancelled.status.state == TaskState.TASK_STATE_CANCELED
        assert executor.cancelled == [task.id]
        with pytest.raises(Exception, match=r"(?i)cancel"):
            await client.cancel_task(CancelTaskRequest(id=task.id))
        with pytest.raises(Exception, match=r"(?i)no such task|not found"):
            await client.get_task(GetTaskRequest(id="never"))


@every_pair
async def test_a_client_that_was_cut_off_subscribes_again(tmp_path: Path, ours: Wire, theirs: Wire) -> None:
    executor = Versatile()
    async with between(tmp_path, executor, ours, theirs) as (_, client):
        task = await started(client)
        seen: list[StreamResponse] = []
        async for event in client.subscribe(SubscribeToTaskRequest(id=task.id)):
            seen.append(event)
            executor.end.set()
        assert seen[0].task.id == task.id
        assert seen[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED


@every_pair
@pytest.mark.parametrize(
    ("text", "state"),
    [("ask", TaskState.TASK_STATE_INPUT_REQUIRED), ("authenticate", TaskState.TASK_STATE_AUTH_REQUIRED)],
)
async def test_an_agent_asks_back_and_goes_on_with_the_answer(
    tmp_path: Path, ours: Wire, theirs: Wire, text: str, state: TaskState
) -> None:
    async with between(tmp_path, Versatile(), ours, theirs, streaming=False) as (_, client):
        [event] = await last(client.send_message(asked(text)))
        task = event.task
        assert task.status.state == state
        assert task.status.message.parts[0].text.endswith("?")
        again = asked("go on", task_id=task.id, context_id=task.context_id)
        [event] = await last(client.send_message(again))
        assert event.task.id == task.id
        assert event.task.status.state == TaskState.TASK_STATE_COMPLETED


@every_pair
async def test_a_long_task_is_begun_at_once_and_asked_for_until_it_has_ended(
    tmp_path: Path, ours: Wire, theirs: Wire
) -> None:
    executor = Versatile()
    async with between(tmp_path, executor, ours, theirs, streaming=False) as (_, client):
        request = asked("wait")
        request.configuration.return_immediately = True
        [event] = await last(client.send_message(request))
        assert event.task.status.state in (TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING)
        executor.end.set()

        async def ended() -> bool:
            task = await client.get_task(GetTaskRequest(id=event.task.id))
            return task.status.state == TaskState.TASK_STATE_COMPLETED

        await eventually(ended, "the task has ended")


@pytest.mark.parametrize("theirs", WIRES)
@pytest.mark.parametrize("ours", [wire for wire in WIRES if wire.endswith("1.0")])
async def test_tasks_are_listed_whatever_the_agent_can(tmp_path: Path, ours: Wire, theirs: Wire) -> None:
    async with between(tmp_path, Versatile(), ours, theirs, streaming=False) as (_, client):
        for _ in range(3):
            await last(client.send_message(asked("go")))
        listed = await client.list_tasks(ListTasksRequest(page_size=2, include_artifacts=True))
        rest = await client.list_tasks(ListTasksRequest(page_size=2, page_token=listed.next_page_token))
        tasks = [*listed.tasks, *rest.tasks]
        assert (len(listed.tasks), len({task.id for task in tasks}), listed.total_size) == (2, 3, 3)
        assert listed.tasks[0].artifacts
        assert not rest.tasks[0].artifacts
        assert not rest.next_page_token
        only = await client.list_tasks(ListTasksRequest(context_id=tasks[0].context_id))
        assert [task.id for task in only.tasks] == [tasks[0].id]
        working = ListTasksRequest(status=TaskState.TASK_STATE_WORKING)
        assert not (await client.list_tasks(working)).tasks
        completed = ListTasksRequest(status=TaskState.TASK_STATE_COMPLETED)
        assert len((await client.list_tasks(completed)).tasks) == 3


async def started(client: Client) -> Task:
    """A task that works until it is told to end; its stream has been left."""
    events = client.send_message(asked("wait"))
    async for event in events:
        if event.status_update.status.state == TaskState.TASK_STATE_WORKING:
            break
        task = event.task
    await events.aclose()  # type: ignore[attr-defined]
    return task
