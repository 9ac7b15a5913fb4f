"""Stage: content guards, in their order, over messages to an agent and over all that it answers. What they
are is in `shared/guards`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from agent_gateway.bindings import Answer, Failure
from agent_gateway.bindings.params import names_of
from agent_gateway.call import Call, Yields
from agent_gateway.catalog import Agent
from agent_gateway.contents import Json, walk_event, walk_failure, walk_params, walk_task, walk_tasks
from agent_gateway.streamed import Streamed
from shared.account import Flight
from shared.guards import guard_of
from shared.guards.run import Run
from shared.guards.section import PLACES, AnyGuardSection
from shared.guards.selected import Guards
from shared.guards.taint import Taint
from shared.guards.texts import Walk, opened
from shared.guards.verdict import Occasion
from shared.http_client import HttpClient
from shared.identity.principal import Caller
from shared.limits.facts import caller_facts
from shared.limits.limiter import Limiter

_WALKS: Mapping[Yields, Walk[Json]] = {"event": walk_event, "task": walk_task, "tasks": walk_tasks}


class Inspection:
    """The ticket of one call: what guards still have to say to what comes back. Everything here raises
    ContentRefused, Unavailable, UpstreamBroken.
    """

    __slots__ = ("_stream", "_streamed", "_taint", "_whole")

    def __init__(
        self,
        whole: Run[Occasion] | None = None,
        stream: Run[Occasion] | None = None,
        taint: Taint[Occasion] | None = None,
    ) -> None:
        self._whole = whole
        self._stream = stream
        self._streamed = Streamed(stream) if stream is not None else None
        self._taint = taint

    async def whole(self, call: Call, answer: Answer) -> Answer:
        """A whole answer as it may go on: the very same where no guard has changed it."""
        walk = _WALKS.get(call.method.yields)
        if self._whole is None or (walk is None and answer.failure is None):
            return answer
        if answer.failure is not None:
            return await self._failure(self._whole, answer, answer.failure)
        assert walk is not None
        given = opened(answer.result, "agent")
        seen = await self._through(self._whole, given, walk)
        return answer if seen is given else Answer(result=Raw(msgspec.json.encode(seen)))

    async def event(self, answer: Answer, *, last: bool) -> list[Answer]:
        """What may go out now that this event of a stream has come; `last`: it may be the last one."""
        if self._stream is None or self._streamed is None or self._taint is None:
            return [answer]
        if answer.failure is not None:
            return [await self._failure(self._stream, answer, answer.failure)]
        given = opened(answer.result, "agent")
        async with self._taint:
            seen = await self._streamed.feed(given, last=last)
        return [answer if each is given else _written(each) for each in seen]

    async def end(self) -> list[Answer]:
        """What is left of a stream that has ended without a last word."""
        if self._streamed is None or self._taint is None:
            return []
        async with self._taint:
            return [_written(each) for each in await self._streamed.end()]

    async def notification(self, event: Json) -> Json:
        """An event that the agent brings by itself."""
        return event if self._whole is None else await self._through(self._whole, event, walk_event)

    async def _failure(self, run: Run[Occasion], answer: Answer, failure: Failure) -> Answer:
        data: Any = msgspec.json.decode(failure.data) if bytes(failure.data) else None
        given = {"message": failure.message, "data": data}
        seen = await self._through(run, given, walk_failure)
        if seen is given:
            return answer
        told = Raw(msgspec.json.encode(seen["data"])) if seen["data"] is not None else Raw()
        return Answer(failure=Failure(code=failure.code, message=str(seen["message"]), data=told))

    async def _through(self, run: Run[Occasion], given: Json, walk: Walk[Json]) -> Json:
        assert self._taint is not None
        async with self._taint:
            return await run.through(given, walk, "reply")


NOTHING = Inspection()


class Guard:
    def __init__(self, sections: Sequence[AnyGuardSection], http: HttpClient, limiter: Limiter) -> None:
        self._guards = Guards(sections, lambda section: guard_of(section, http), places=PLACES)
        self._limiter = limiter

    async def __call__(
        self, call: Call, agent: Agent, caller: Caller, flight: Flight
    ) -> tuple[Call, Inspection]:
        """The call as it may go on, the very same where no guard has changed it. Raises ContentRefused,
        Unavailable, BadRequest.
        """
        run = self._run(agent, caller, flight, call.names.skill)
        if run is None:
            return call, NOTHING
        taint = Taint(run, self._limiter, caller)
        before = run.on("request")
        if before is not None and call.method.delegates:
            async with taint:
                call = await _looked_at(call, before)
        return call, Inspection(run.on("reply"), run.on("stream"), taint)

    def answers(self, agent: Agent, caller: Caller, flight: Flight) -> Inspection:
        """For what an agent says without being asked now."""
        run = self._run(agent, caller, flight, "")
        if run is None:
            return NOTHING
        return Inspection(run.on("reply"), None, Taint(run, self._limiter, caller))

    def _run(self, agent: Agent, caller: Caller, flight: Flight, skill: str) -> Run[Occasion] | None:
        active = self._guards.matching(
            {
                **caller_facts(caller),
                "agent": agent.name,
                "caller": caller.actor,
                "skill": skill,
                "label": agent.labels,
            }
        )
        occasion = Occasion(target=agent.principal, reply=f"the answer of {agent.principal}")
        return Run.open(active, occasion, flight) if active else None


async def _looked_at(call: Call, run: Run[Occasion]) -> Call:
    """Only the members that have changed are written anew."""
    given = {name: msgspec.json.decode(value) for name, value in call.params.items()}
    seen = await run.through(given, walk_params, "request")
    changed = {name: value for name, value in seen.items() if value is not given[name]}
    if not changed:
        return call
    params = call.params | {name: Raw(msgspec.json.encode(value)) for name, value in changed.items()}
    return msgspec.structs.replace(call, params=params, names=names_of(call.method, params))


def _written(event: Json) -> Answer:
    return Answer(result=Raw(msgspec.json.encode(event)))
