"""ListTasks: put together from the tasks that are the caller's own, each asked for at the agent.

An agent knows one client, us, and would list everybody's tasks; and agents of 0.3 list none. Which are
whose is on record here.
"""

import asyncio
import base64
import binascii
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from agent_gateway.bindings import Answer, Params
from agent_gateway.call import Call
from agent_gateway.route import Route, Target, of_task
from agent_gateway.seen import STATES
from agent_gateway.tasks import Tasks
from agent_gateway.upstream import Upstream
from shared import jsonrpc
from shared.account import Flight
from shared.asgi import Exchange
from shared.errors import BadRequest, UpstreamFault
from shared.identity.principal import Caller

_PAGE, _LONGEST_PAGE = 50, 100
_AT_ONCE = 8
# How clients write that they do not ask for a state.
_ANY_STATE: tuple[str | int, ...] = ("", 0, "TASK_STATE_UNSPECIFIED")
# Tasks that a filter leaves out still have to be looked at: this many a request.
_LOOKED_AT = 400


class Filter(Struct, frozen=True):
    """What a client asks for, as A2A 1.0 has it."""

    contextId: str = ""
    status: str | int = ""
    pageSize: int = _PAGE
    pageToken: str = ""
    historyLength: int = 0
    statusTimestampAfter: str = ""
    includeArtifacts: bool = False


class Listing:
    def __init__(self, tasks: Tasks, route: Route, upstream: Upstream) -> None:
        self._tasks = tasks
        self._route = route
        self._upstream = upstream

    async def __call__(
        self, exchange: Exchange, flight: Flight, caller: Caller, call: Call, target: Target
    ) -> Answer:
        """Raises BadRequest."""
        wanted = _filter(call.params)
        size = max(1, min(wanted.pageSize or _PAGE, _LONGEST_PAGE))
        known = await self._tasks.listed(target.agent.name, caller)
        ids = [task for task, context in known if wanted.contextId in ("", context)]
        start = _start(ids, wanted.pageToken)
        found: list[dict[str, Any]] = []
        place = start
        while place < len(ids) and len(found) < size and place - start < _LOOKED_AT:
            some = ids[place : place + min(_AT_ONCE, size - len(found))]
            place += len(some)
            asked = await asyncio.gather(*(self._task(task, wanted, target, flight) for task in some))
            found += [task for task in asked if task is not None and _fits(task, wanted)]
        token = base64.urlsafe_b64encode(ids[place].encode()).decode() if place < len(ids) else ""
        filtered = bool(wanted.status not in _ANY_STATE or wanted.statusTimestampAfter)
        listed = {
            "tasks": found,
            "nextPageToken": token,
            "pageSize": size,
            "totalSize": len(found) if filtered else len(ids),
        }
        return Answer(result=Raw(msgspec.json.encode(listed)))

    async def _task(self, task: str, wanted: Filter, target: Target, flight: Flight) -> dict[str, Any] | None:
        """The task as its agent has it now; None where the agent does not have it any more."""
        length = Raw(str(max(0, wanted.historyLength)).encode())
        call = of_task("GetTask", task, historyLength=length)
        try:
            answer = await self._upstream.ask(call, self._route.again(target, call), flight)
        except UpstreamFault:
            return None
        if answer.failure is not None:
            return None
        found = msgspec.json.decode(answer.result)
        if not isinstance(found, dict) or found.get("id") != task:
            return None
        if not wanted.includeArtifacts:
            found.pop("artifacts", None)
        if not wanted.historyLength:
            found.pop("history", None)
        return found


def _filter(params: Params) -> Filter:
    try:
        given = {name: value for name, value in params.items() if bytes(value) != b"null"}
        found = msgspec.json.decode(msgspec.json.encode(given), type=Filter)
    except msgspec.DecodeError as error:
        raise BadRequest(f"params: {error}", code=jsonrpc.INVALID_PARAMS, cause=error) from error
    if found.status not in (*_ANY_STATE, *STATES):
        raise BadRequest("params.status is no state of a task", code=jsonrpc.INVALID_PARAMS)
    return found


def _start(ids: list[str], token: str) -> int:
    """Where a page begins: at the task that its token names, which others may have overtaken since."""
    if not token:
        return 0
    try:
        return ids.index(base64.urlsafe_b64decode(token.encode()).decode())
    except (ValueError, binascii.Error) as error:
        raise BadRequest("this pageToken is none of this list", code=jsonrpc.INVALID_PARAMS) from error


def _fits(task: dict[str, Any], wanted: Filter) -> bool:
    status = task.get("status") or {}
    if wanted.status not in _ANY_STATE and STATES.get(status.get("state", "")) != STATES[wanted.status]:
        return False
    if not wanted.statusTimestampAfter:
        return True
    told, after = _time(str(status.get("timestamp") or "")), _time(wanted.statusTimestampAfter)
    if after is None:
        raise BadRequest("statusTimestampAfter is no timestamp", code=jsonrpc.INVALID_PARAMS)
    return told is not None and told > after


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text if text[-1:] == "Z" or "+" in text else f"{text}Z")
    except ValueError:
        return None
