"""Real A2A agents, built with the official SDK and served on free ports, and scripted ones that misbehave.

async with agent(Echo()) as echo:
    ... echo.url, echo.heard[0].bearer
"""

import asyncio
import contextlib
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec
from a2a.helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from msgspec import Struct
from starlette.applications import Starlette

from shared import server
from shared.asgi import Message, Receive, Scope, Send

_GRACE_SECONDS = 0.5


class Heard(Struct, frozen=True):
    """One request as an agent got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def bearer(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


class RunningAgent(Struct, frozen=True):
    """`url` takes JSON-RPC; `card_url` is where its card is."""

    url: str
    card_url: str
    heard: list[Heard]

    def calls(self, method: str = "SendMessage") -> list[Heard]:
        """The JSON-RPC requests for `method`, in order."""
        return [one for one in self.heard if isinstance(one.body, dict) and one.body.get("method") == method]


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


@contextlib.asynccontextmanager
async def agent(
    executor: AgentExecutor, name: str = "an agent", *, streaming: bool = True
) -> AsyncIterator[RunningAgent]:
    """Serves `executor` as an A2A 1.0 agent over JSON-RPC."""

    def app(url: str) -> Starlette:
        card = card_of(name, f"{url}/", streaming=streaming)
        handler = DefaultRequestHandler(
            agent_executor=executor, task_store=InMemoryTaskStore(), agent_card=card
        )
        return Starlette(routes=[*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/")])

    async with listening(app) as running:
        yield running


def card_of(name: str, url: str, *, streaming: bool = True) -> AgentCard:
    return AgentCard(
        name=name,
        description="An agent that only tests know.",
        version="1.0.0",
        supported_interfaces=[AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="1.0")],
        capabilities=AgentCapabilities(streaming=streaming, push_notifications=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="talk", name="Talk", description="Says something.", tags=["text"])],
    )


Script = Callable[[Heard, Send], Awaitable[None]]


@contextlib.asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[RunningAgent]:
    """An agent whose every answer is what `script` sends, over raw ASGI."""

    def app(_: str) -> Any:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await script(await _hear(scope, receive), send)

        return answer

    async with listening(app) as running:
        yield running


async def reply(
    send: Send, body: bytes, *, status: int = 200, kind: str = "application/json", **headers: str
) -> None:
    """One whole answer of a scripted agent."""
    await begin(send, status=status, kind=kind, **headers)
    await send({"type": "http.response.body", "body": body})


async def begin(send: Send, *, status: int = 200, kind: str = "text/event-stream", **headers: str) -> None:
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    start = {"type": "http.response.start", "status": status, "headers": [(b"content-type", kind.encode())]}
    start["headers"] = [(b"content-type", kind.encode()), *given]
    await send(start)


async def more(send: Send, chunk: bytes) -> None:
    await send({"type": "http.response.body", "body": chunk, "more_body": True})


@contextlib.asynccontextmanager
async def listening(build: Callable[[str], Any]) -> AsyncIterator[RunningAgent]:
    """Serves what `build` makes of its own address, and writes down every request."""
    stop, ready = asyncio.Event(), asyncio.Event()
    listener = server.bind("127.0.0.1:0")
    url = server.url_of(listener)
    heard: list[Heard] = []
    app = _noting(build(url), heard)
    serving = server.serve(app, listener, stop, grace_seconds=_GRACE_SECONDS, ready=ready.set)
    task = asyncio.create_task(serving)
    try:
        await ready.wait()
        yield RunningAgent(f"{url}/", f"{url}/.well-known/agent-card.json", heard)
    finally:
        stop.set()
        await task
        listener.close()


def _noting(app: Any, heard: list[Heard]) -> Any:
    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        messages: list[Message] = []
        while not messages or messages[-1].get("more_body"):
            messages.append(await receive())
        heard.append(_heard(scope, b"".join(message.get("body", b"") for message in messages)))

        async def again() -> Message:
            return messages.pop(0) if messages else await receive()

        await app(scope, again, send)

    return noting


async def _hear(scope: Scope, receive: Receive) -> Heard:
    body, more_body = b"", True
    while more_body:
        message = await receive()
        body += message.get("body", b"")
        more_body = message.get("more_body", False)
    return _heard(scope, body)


def _heard(scope: Scope, body: bytes) -> Heard:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    try:
        content: Any = msgspec.json.decode(body) if body else None
    except msgspec.DecodeError:
        content = body
    return Heard(scope["method"], scope["path"], headers, content)
