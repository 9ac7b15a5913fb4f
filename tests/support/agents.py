"""Real A2A agents, built with the official SDK and served on free ports, and scripted ones that misbehave.

async with agent(Echo()) as echo:
    ... echo.url, echo.heard[0].bearer
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import httpx
import msgspec
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import (
    BasePushNotificationSender,
    InMemoryPushNotificationConfigStore,
    InMemoryTaskStore,
)
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from msgspec import Struct
from starlette.applications import Starlette

from shared import server
from shared.asgi import Message, Receive, Scope, Send
from tests.support.executors import Asking, CallingBack, Echo, Parts, Patient, Versatile

_GRACE_SECONDS = 0.0

__all__ = [
    "Asking",
    "CallingBack",
    "Echo",
    "Heard",
    "Parts",
    "Patient",
    "RunningAgent",
    "Versatile",
    "agent",
    "begin",
    "card_of",
    "listening",
    "more",
    "reply",
    "scripted",
]


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
    """`url` takes JSON-RPC, `rest_url` HTTP+JSON; `card_url` is where its card is."""

    url: str
    card_url: str
    heard: list[Heard]

    @property
    def rest_url(self) -> str:
        return f"{self.url}rest"

    def calls(self, method: str = "SendMessage") -> list[Heard]:
        """The JSON-RPC requests for `method`, in order."""
        return [one for one in self.heard if isinstance(one.body, dict) and one.body.get("method") == method]


@contextlib.asynccontextmanager
async def agent(
    executor: AgentExecutor,
    name: str = "an agent",
    *,
    streaming: bool = True,
    card: AgentCard | None = None,
    extended: AgentCard | None = None,
) -> AsyncIterator[RunningAgent]:
    """Serves `executor` as an A2A agent: 1.0 and 0.3, over JSON-RPC and below `/rest` over HTTP+JSON."""
    async with httpx.AsyncClient(timeout=5) as http:

        def app(url: str) -> Starlette:
            own = card or card_of(name, f"{url}/", streaming=streaming)
            if extended is not None:
                own.capabilities.extended_agent_card = True
            configs = InMemoryPushNotificationConfigStore()
            handler = DefaultRequestHandler(
                agent_executor=executor,
                task_store=InMemoryTaskStore(),
                agent_card=own,
                push_config_store=configs,
                push_sender=BasePushNotificationSender(http, configs),
                extended_agent_card=extended,
            )
            return Starlette(
                routes=[
                    *create_agent_card_routes(own),
                    *create_jsonrpc_routes(handler, "/", enable_v0_3_compat=True),
                    *create_rest_routes(handler, path_prefix="/rest", enable_v0_3_compat=True),
                ]
            )

        async with listening(app) as running:
            yield running


def card_of(
    name: str,
    url: str,
    *,
    streaming: bool = True,
    binding: str = "JSONRPC",
    version: str = "1.0",
    skills: Sequence[str] = ("talk",),
) -> AgentCard:
    return AgentCard(
        name=name,
        description="An agent that only tests know.",
        version="1.0.0",
        supported_interfaces=[AgentInterface(url=url, protocol_binding=binding, protocol_version=version)],
        capabilities=AgentCapabilities(streaming=streaming, push_notifications=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[
            AgentSkill(id=skill, name=skill.title(), description="Says something.", tags=["text"])
            for skill in skills
        ],
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
