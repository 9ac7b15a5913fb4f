"""Whose a task is that a server has begun instead of answering: to everybody else it does not exist, however
they came by its id.
"""

import hashlib

import msgspec
from msgspec import Struct

from mcp_gateway.ask import Ask
from mcp_gateway.sessions import owner_of
from shared import jsonrpc
from shared.errors import BadRequest
from shared.identity.principal import Caller
from shared.redis_client import Redis

PREFIX = "tasks/"
_SECONDS = 86_400


class _Task(Struct):
    taskId: str = ""


class _Result(Struct):
    """Both ways in which a result speaks of a task."""

    taskId: str = ""
    task: _Task = msgspec.field(default_factory=_Task)


class Tasks:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def begun(self, server: str, caller: Caller, result: bytes) -> None:
        """Remembers whose the task is in which this result ends, if it does. Raises Unavailable."""
        if b'"taskId"' not in result:
            return
        try:
            found = msgspec.json.decode(result, type=_Result)
        except msgspec.DecodeError:
            return
        if task := found.taskId or found.task.taskId:
            # The first to be given an id keeps it: a server that gives it again gives it to nobody.
            who = msgspec.msgpack.encode(owner_of(caller))
            await self._redis.execute("SET", _key(server, caller, task), who, "EX", _SECONDS, "NX")

    async def check(self, server: str, caller: Caller, ask: Ask) -> None:
        """Raises BadRequest for a method about somebody else's task, or about none."""
        if not ask.method.name.startswith(PREFIX) or "taskId" not in ask.params:
            return
        try:
            task = msgspec.json.decode(ask.params["taskId"], type=str)
        except msgspec.DecodeError:
            task = ""
        who = await self._redis.execute("GET", _key(server, caller, task))
        if not who or bytes(who) != msgspec.msgpack.encode(owner_of(caller)):
            raise BadRequest("there is no such task", code=jsonrpc.INVALID_PARAMS)


def _key(server: str, caller: Caller, task: str) -> str:
    digest = hashlib.sha256(task.encode("utf-8", "replace")).hexdigest()
    return f"gs:{{{caller.principal.tenant}}}:mcp:task:{server}:{digest}"
