"""A call of a session-era client: what its server asks goes to the client at once, as requests on the stream
of the call, and the call goes on with the answers.
"""

import asyncio
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Raw

from mcp_gateway import capabilities
from mcp_gateway.client import Client
from mcp_gateway.config import ServerRule
from mcp_gateway.conversation import Conversation
from mcp_gateway.questions.desk import Desk
from mcp_gateway.questions.wording import (
    METHODS,
    RESPONSES,
    STATE,
    Question,
    Wanted,
    readdressed,
    wanted,
)
from mcp_gateway.sessions import Session
from mcp_gateway.upstreams.upstream import Aside, Call, Upstream
from shared import jsonrpc
from shared.clock import Clock
from shared.errors import GatestackError, UpstreamBroken, UpstreamRefused
from shared.jsonrpc import Envelope

_MOST_ROUNDS = 10
_MOST_OPEN = 16
# A server that only wants to be asked again, without a question, needs a moment.
_PAUSE_SECONDS = 0.1


class Asking:
    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    async def __call__(self, upstream: Upstream, call: Call, rule: ServerRule, client: Client) -> Envelope:
        """The server's answer. Raises UpstreamFault."""
        deadline = self._clock.monotonic() + rule.deadline_seconds
        for _ in range(_MOST_ROUNDS):
            left = max(deadline - self._clock.monotonic(), 0.0)
            talk = Conversation(
                upstream, call, msgspec.structs.replace(rule, deadline_seconds=left), self._clock
            )
            answer = await self._one(talk, client)
            asked = wanted(bytes(answer.result), upstream.name)
            if asked is None:
                return answer
            async with asyncio.timeout(left):
                params = call.params | await self._round(asked, upstream.name, client)
            call = msgspec.structs.replace(call, params=params)
        raise UpstreamBroken(f"the MCP server {upstream.name!r} asks without end")

    async def _one(self, talk: Conversation, client: Client) -> Envelope:
        try:
            async with _Open(self._desk, client) as questions:
                while True:
                    said = await talk.next(waiting=questions.waiting)
                    message = said.message if isinstance(said, Aside) else said
                    if isinstance(said, Aside) and message.has_id:
                        questions.put(said)
                    elif message.method == "notifications/cancelled":
                        questions.withdraw(message)
                    elif message.method:
                        await client.tell(message)
                    else:
                        return message
        finally:
            await talk.close()

    async def _round(self, asked: Wanted, server: str, client: Client) -> dict[str, Raw]:
        """What the server is to be asked again with."""
        session = client.ask.session
        assert session is not None
        if not asked.inputRequests:
            await asyncio.sleep(_PAUSE_SECONDS)
        for question in asked.inputRequests.values():
            _check(question, client, server)
        asking = [
            asyncio.create_task(self._desk.ask(session, question, client.reply.note))
            for question in asked.inputRequests.values()
        ]
        try:
            found = await asyncio.gather(*asking)
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        answers = {
            key: _result(answer, server) for key, answer in zip(asked.inputRequests, found, strict=True)
        }
        again = {RESPONSES: Raw(msgspec.json.encode(answers))} if answers else {}
        return again | ({STATE: asked.requestState} if bytes(asked.requestState) else {})


class _Open:
    """The questions of one call that wait for the client."""

    def __init__(self, desk: Desk, client: Client) -> None:
        self._desk = desk
        self._client = client
        self._tasks: dict[bytes, asyncio.Task[None]] = {}

    @property
    def waiting(self) -> bool:
        return bool(self._tasks)

    def put(self, aside: Aside) -> None:
        request, session = aside.message, self._client.ask.session
        if len(self._tasks) >= _MOST_OPEN or session is None:
            aside.respond(jsonrpc.error(request.id, jsonrpc.INTERNAL_ERROR, "too many questions at once"))
            return
        task = asyncio.create_task(self._answer(aside, session))
        self._tasks[bytes(request.id)] = task
        task.add_done_callback(lambda _: self._tasks.pop(bytes(request.id), None))

    def withdraw(self, message: Envelope) -> None:
        """The server does not want to know any more."""
        try:
            task = self._tasks.get(
                bytes(msgspec.json.decode(message.params, type=dict[str, Raw])["requestId"])
            )
        except (msgspec.DecodeError, KeyError):
            return
        if task is not None:
            task.cancel()

    async def _answer(self, aside: Aside, session: Session) -> None:
        request = aside.message
        try:
            seen = await self._client.asked(request)
            if isinstance(seen, bytes):
                aside.respond(seen)
                return
            question = Question(seen.method, seen.params)
            answer = await self._desk.ask(session, question, self._client.reply.note)
        except GatestackError as error:
            aside.respond(jsonrpc.error(request.id, jsonrpc.INTERNAL_ERROR, error.detail))
        else:
            aside.respond(readdressed(answer, request.id))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _check(question: Question, client: Client, server: str) -> None:
    needed = capabilities.lacking(client.ask.capabilities, question.method, question.params)
    if question.method not in METHODS or needed:
        raise UpstreamBroken(
            f"the MCP server {server!r} asks for {question.method[:64]}, which this client cannot answer",
            data={"requiredCapabilities": needed},
        )
    client.note(question.method)


def _result(answer: Envelope, server: str) -> Raw:
    if bytes(answer.error):
        raise UpstreamRefused(
            f"the client would not answer what the MCP server {server!r} asked",
            upstream_status=200,
            retryable=False,
        )
    return answer.result
