"""Answers A2A 1.0 over JSON-RPC in the place of an agent: the operations that a bridge has, and those that it
has not.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import msgspec
from msgspec import Raw

from agent_gateway.bridges import Work
from agent_gateway.bridges.asked import Asked, asked_of
from agent_gateway.bridges.records import CANCELED, ENDED, WAITING, WORKING, Record, Records
from agent_gateway.bridges.reply import MadeReply
from agent_gateway.bridges.work import Worker
from agent_gateway.route import Target
from shared import jsonrpc, sse
from shared.account import Flight
from shared.dialects import a2a
from shared.errors import BadRequest, Fault, NotFound
from shared.http_client import Reply
from shared.jsonrpc import Envelope
from shared.ledger.entry import new_id

Json = dict[str, Any]
Params = dict[str, Raw]
_LOOK_SECONDS = 0.5
_PARAMS = msgspec.json.Decoder(Params)


class Bridges:
    """`open` takes the place of a connection to an agent. Whose tasks and conversations are whose has been
    asked before.
    """

    def __init__(self, worker: Worker, records: Records) -> None:
        self._worker = worker
        self._records = records
        self._operations: dict[str, Callable[[Target, Flight, Envelope, Params], Awaitable[Reply]]] = {
            "SendMessage": self._send,
            "SendStreamingMessage": self._stream,
            "GetTask": self._get,
            "CancelTask": self._cancel,
            "SubscribeToTask": self._subscribe,
        }

    async def open(self, target: Target, flight: Flight) -> Reply:
        """Raises GatestackError."""
        envelope = msgspec.json.decode(target.body, type=Envelope)
        operation = self._operations.get(envelope.method)
        if operation is None:
            code = a2a.PUSH_NOT_SUPPORTED if "Push" in envelope.method else a2a.UNSUPPORTED_OPERATION
            raise BadRequest(f"{target.agent.name} has no {envelope.method}", code=code)
        return await operation(target, flight, envelope, _PARAMS.decode(envelope.params))

    async def _send(self, target: Target, flight: Flight, envelope: Envelope, params: Params) -> Reply:
        work = await self._work(target, flight, params)
        ended = ""
        async with aclosing(self._worker.events(work)) as events:
            async for event in events:
                if "task" in event:
                    ended = event["task"]["id"]
        record = await self._record(target, flight, ended)
        return _whole(envelope, {"task": record.task})

    async def _stream(self, target: Target, flight: Flight, envelope: Envelope, params: Params) -> Reply:
        events = self._worker.events(await self._work(target, flight, params))
        # Until the first event nothing has begun, and what is wrong is told as an error.
        first = await anext(events)
        return _streamed(envelope, _with(first, events))

    async def _get(self, target: Target, flight: Flight, envelope: Envelope, params: Params) -> Reply:
        record = await self._record(target, flight, _id(params))
        return _whole(envelope, record.task)

    async def _cancel(self, target: Target, flight: Flight, envelope: Envelope, params: Params) -> Reply:
        record = await self._record(target, flight, _id(params))
        if record.state in ENDED:
            raise BadRequest("this task has ended", code=a2a.TASK_NOT_CANCELABLE)
        caller, wanted = flight.entry.caller, msgspec.structs.replace(record, state=CANCELED, words="")
        if caller is None:
            raise Fault("nobody has been authenticated")
        if record.state == WAITING:
            await self._records.begin(target.agent.name, caller, wanted)
            return _whole(envelope, wanted.task)
        ended = await self._records.end(target.agent.name, caller, wanted)
        return _whole(envelope, ended.task)

    async def _subscribe(self, target: Target, flight: Flight, envelope: Envelope, params: Params) -> Reply:
        record = await self._record(target, flight, _id(params))
        if record.state != WORKING:
            raise BadRequest("nothing more comes of this task", code=a2a.UNSUPPORTED_OPERATION)
        return _streamed(envelope, self._followed(target, flight, record))

    async def _followed(self, target: Target, flight: Flight, record: Record) -> AsyncGenerator[Json, None]:
        """Somebody else listens to the work itself: here it is told what comes of it."""
        yield {"task": record.task}
        while record.state == WORKING:
            await asyncio.sleep(_LOOK_SECONDS)
            record = await self._record(target, flight, record.id)
        if record.parts:
            yield record.grown(record.parts, more=False)
        yield record.changed()

    async def _work(self, target: Target, flight: Flight, params: Params) -> Work:
        """Raises BadRequest, NotFound."""
        asked = asked_of(params["message"])
        if b'"taskPushNotificationConfig"' in bytes(params.get("configuration", Raw())):
            raise BadRequest(f"{target.agent.name} sends no push notifications", code=a2a.PUSH_NOT_SUPPORTED)
        context = asked.contextId or await self._context(target, flight, asked) or new_id()
        return Work(target=target, flight=flight, asked=asked, context=context)

    async def _context(self, target: Target, flight: Flight, asked: Asked) -> str:
        """That of the task which the message goes on with. Raises BadRequest where it has ended."""
        if not asked.taskId:
            return ""
        record = await self._record(target, flight, asked.taskId)
        if record.state != WAITING:
            raise BadRequest("this task does not wait for a message", code=a2a.UNSUPPORTED_OPERATION)
        return record.context

    async def _record(self, target: Target, flight: Flight, task: str) -> Record:
        caller = flight.entry.caller
        found = await self._records.find(target.agent.name, caller, task) if caller is not None else None
        if found is None:
            raise NotFound("there is no such task", code=a2a.TASK_NOT_FOUND)
        return found


def _id(params: Params) -> str:
    return msgspec.json.decode(params["id"], type=str)


async def _with(first: Json, events: AsyncGenerator[Json, None]) -> AsyncGenerator[Json, None]:
    async with aclosing(events):
        yield first
        async for event in events:
            yield event


def _whole(envelope: Envelope, value: Json) -> Reply:
    async def body() -> AsyncGenerator[bytes, None]:
        yield jsonrpc.result(envelope.id, msgspec.json.encode(value))

    return MadeReply("application/json", body())


def _streamed(envelope: Envelope, events: AsyncGenerator[Json, None]) -> Reply:
    async def body() -> AsyncGenerator[bytes, None]:
        async with aclosing(events):
            async for event in events:
                yield sse.encode(jsonrpc.result(envelope.id, msgspec.json.encode(event)))

    return MadeReply("text/event-stream", body())
