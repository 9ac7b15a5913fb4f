"""What the agents of the tests do when they are asked: each a kind of conversation, written with a2a-sdk."""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence

from a2a.helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import (
    TaskUpdater,
)

_LONG_SECONDS = 0.2


class Echo(AgentExecutor):
    """Answers at once with a message that holds the text it was sent."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        await event_queue.enqueue_event(new_text_message(f"echo: {context.get_user_input()}"))

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        raise NotImplementedError


class Worker(AgentExecutor):
    """Works on a task. What it does is the subclass's; cancelling is possible as long as it works."""

    def __init__(self) -> None:
        self.cancelled: list[str] = []

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.message is not None
        task = context.current_task or new_task_from_user_message(context.message)
        if context.current_task is None:
            await event_queue.enqueue_event(task)
        await self.work(context, TaskUpdater(event_queue, task.id, task.context_id))

    @abstractmethod
    async def work(self, context: RequestContext, updater: TaskUpdater) -> None: ...

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.task_id is not None
        assert context.context_id is not None
        self.cancelled.append(context.task_id)
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


class Parts(Worker):
    """Delivers its answer in pieces: `pieces` artifact chunks, then the end."""

    def __init__(self, pieces: Sequence[str] = ("one", "two", "three")) -> None:
        super().__init__()
        self._pieces = pieces

    async def work(self, context: RequestContext, updater: TaskUpdater) -> None:
        await updater.start_work()
        for place, piece in enumerate(self._pieces):
            last = place == len(self._pieces) - 1
            await updater.add_artifact(
                [new_text_part(piece)], artifact_id="answer", append=place > 0, last_chunk=last
            )
        await updater.complete()


class Patient(Worker):
    """Works until it is told to `end`, or cancelled. `working` is set once it has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.working = asyncio.Event()
        self.end = asyncio.Event()

    async def work(self, context: RequestContext, updater: TaskUpdater) -> None:
        await updater.start_work()
        await updater.add_artifact([new_text_part("a start")], artifact_id="answer")
        self.working.set()
        await self.end.wait()
        await updater.complete()


class Asking(Worker):
    """Asks back once before it completes its task."""

    async def work(self, context: RequestContext, updater: TaskUpdater) -> None:
        if context.current_task is None:
            await updater.requires_input(updater.new_agent_message([new_text_part("which one?")]))
        else:
            await updater.complete(updater.new_agent_message([new_text_part(context.get_user_input())]))


class CallingBack(AgentExecutor):
    """Hands the bearer that it got, and the text, to `act`; answers with what that returns."""

    def __init__(self, act: Callable[[str, str], Awaitable[str]]) -> None:
        self._act = act

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        bearer = context.call_context.state["headers"].get("authorization", "").removeprefix("Bearer ")
        await event_queue.enqueue_event(new_text_message(await self._act(bearer, context.get_user_input())))

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        raise NotImplementedError


class Versatile(Worker):
    """Does what the text of a message says: what a test wants to see it do."""

    def __init__(self) -> None:
        super().__init__()
        self.end = asyncio.Event()

    async def work(self, context: RequestContext, updater: TaskUpdater) -> None:
        wanted = context.get_user_input()
        if wanted == "ask":
            await updater.requires_input(updater.new_agent_message([new_text_part("which one?")]))
        elif wanted == "authenticate":
            await updater.requires_auth(updater.new_agent_message([new_text_part("who are you?")]))
        elif wanted == "wait":
            await updater.start_work()
            await self.end.wait()
            await updater.complete()
        elif wanted == "long":
            await updater.start_work()
            await asyncio.sleep(_LONG_SECONDS)
            await updater.complete()
        else:
            await self._deliver(context, updater)

    async def _deliver(self, context: RequestContext, updater: TaskUpdater) -> None:
        """Every kind of part goes back as it came, in one artifact, in two pieces."""
        assert context.message is not None
        await updater.start_work()
        await updater.add_artifact(list(context.message.parts), artifact_id="back", name="what came")
        await updater.add_artifact(
            [new_text_part("and more")], artifact_id="back", append=True, last_chunk=True
        )
        await updater.complete(updater.new_agent_message([new_text_part("done")]))
