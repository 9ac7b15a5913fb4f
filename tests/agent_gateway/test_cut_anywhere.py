"""A call of an agent that ends at any moment leaves nothing behind, and is on record once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.tasks import TaskUpdater

from tests.agent_gateway.gateway import Gateway, gateway, message
from tests.support import agents
from tests.support.agents import Echo, Parts, RunningAgent, agent
from tests.support.approving import Spending, approving, asks
from tests.support.cutting import LIMITS, Cutting, Held, Kind
from tests.support.executors import Worker
from tests.support.serve import someone

SECTION = {"limits": LIMITS}


class Endless(Worker):
    """Works until it is cancelled."""

    async def work(self, context: RequestContext, updater: TaskUpdater) -> None:
        await updater.start_work()
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def held_agent(
    executor: AgentExecutor, only: bytes, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[RunningAgent, Held]]:
    """An agent that answers no call any more that has been ended, if it is one of `only`."""
    made: list[Held] = []
    listening = agents.listening

    def held(build: Any) -> Any:
        def app(url: str) -> Held:
            made.append(Held(build(url), only))
            return made[0]

        return listening(app)

    monkeypatch.setattr(agents, "listening", held)
    async with agent(executor) as running:
        yield running, made[0]


@pytest.mark.parametrize(
    ("method", "executor", "stride"),
    [("SendMessage", Echo(), 1), ("SendMessage", Parts(), 6), ("SendStreamingMessage", Parts(), 6)],
    ids=["a word", "a task", "a stream"],
)
async def test_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, executor: AgentExecutor, stride: int
) -> None:
    async with (
        held_agent(executor, f'"{method}"'.encode(), monkeypatch) as (writer, held),
        gateway(tmp_path, section=SECTION, writer=writer) as gate,
    ):

        async def send() -> int:
            return (await gate.call("writer", method, message())).status

        held.cutting = Cutting(gate.service)
        await held.cutting.everywhere(Kind(send=send, left=held.left), stride=stride)


@pytest.mark.parametrize("method", ["GetTask", "CancelTask"])
async def test_what_is_asked_about_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    async with (
        held_agent(Endless(), f'"{method}"'.encode(), monkeypatch) as (writer, held),
        gateway(tmp_path, section=SECTION, writer=writer) as gate,
    ):
        caller = someone()
        task = ""

        async def before() -> None:
            nonlocal task
            task = await _working(gate, caller)

        async def send() -> int:
            return (await gate.call("writer", method, {"id": task}, caller)).status

        async def again() -> int:
            await before()
            return await send()

        held.cutting = Cutting(gate.service)
        kind = Kind(before=before, send=send, again=again, left=held.left)
        await held.cutting.everywhere(kind, stride=6)


async def test_a_message_that_waits_for_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        held_agent(Echo(), b'"SendMessage"', monkeypatch) as (writer, held),
        gateway(tmp_path, section=SECTION, writer=writer) as gate,
    ):
        caller, said = someone(), message()
        await asks(gate.edge, gate.parts, "agent:writer*")

        async def send() -> int:
            async with approving(gate.parts):
                return (await gate.call("writer", "SendMessage", said, caller)).status

        held.cutting, spending = Cutting(gate.service), Spending(gate.parts, lambda: held.arrived)
        await spending.everywhere(held.cutting, send, held.left, stride=6)


async def _working(gate: Gateway, caller: Any) -> str:
    body = message() | {"configuration": {"returnImmediately": True}}
    task: str = (await gate.call("writer", "SendMessage", body, caller)).json["result"]["task"]["id"]
    return task
