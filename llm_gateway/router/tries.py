"""One call's tries: what deployments did is reported to them, what was decided to the entry, until somebody
begins to answer.
"""

import asyncio
from typing import Generic, Protocol, TypeVar

from llm_gateway.answer import Answer
from llm_gateway.attempt import Attempt
from llm_gateway.catalog import Target
from llm_gateway.router.declined import Declined
from llm_gateway.router.search import Search
from llm_gateway.router.state import Deployment, SizeClass, State
from shared.account import Flight
from shared.attempts import nobody
from shared.errors import BadRequest, GatestackError, Killed, UpstreamFault
from shared.guards.watching import Misfit
from shared.policy.glob import covers

Begun = TypeVar("Begun")
Made = TypeVar("Made", covariant=True)


class Trying(Protocol[Made]):
    """One attempt at one target. `model` is what the last answer called its model, where somebody wants to
    know.
    """

    model: str

    async def __call__(self, target: Target) -> Made:
        """Raises UpstreamFault, and what keeps the target from being asked at all."""
        ...


class Once(Generic[Begun]):
    """One target, asked once. `answer` raises UpstreamFault, what keeps the target from being asked at all,
    and Unavailable; `broke` or `ended` follow it, `ended` in any case.
    """

    __slots__ = ("_answering", "_attempt", "_deployment", "_flight", "_size", "_target")

    def __init__(
        self,
        target: Target,
        deployment: Deployment,
        attempt: Trying[Begun],
        flight: Flight,
        size: SizeClass,
    ) -> None:
        self._target = target
        self._attempt = attempt
        self._flight = flight
        self._size = size
        self._deployment = deployment
        self._answering: Deployment | None = None

    async def answer(self) -> Begun:
        if not self._deployment.circuit.admits():
            raise nobody((self._deployment.circuit,))
        return await self._one(self._target, self._deployment)

    def broke(self, error: UpstreamFault) -> None:
        """The answer was cut off on its way, if there was one."""
        if self._answering is not None and not isinstance(error, Misfit):
            self._answering.broke(error.reason)
            self._answering = None

    def ended(self) -> None:
        if self._answering is not None:
            self._answering.ended()

    async def _one(self, target: Target, deployment: Deployment) -> Begun:
        began = deployment.began()
        try:
            answer = await self._attempt(target)
        except (Declined, Misfit):
            deployment.answered(began, self._size)
            deployment.ended()
            raise
        except UpstreamFault as error:
            deployment.faulted(error)
            raise
        except BaseException:
            deployment.abandoned()
            raise
        deployment.answered(began, self._size)
        self._answering = deployment
        if self._attempt.model:
            self._note_model(target, deployment)
        return answer

    def _note_model(self, target: Target, deployment: Deployment) -> None:
        deployment.last_model = seen = self._attempt.model
        if target.expect_model and not covers(target.expect_model, seen):
            deployment.changed += 1
            self._flight.entry.findings += (f"model:changed {seen}",)


class Turns(Once[Begun]):
    """Whoever `search` says is next, until one answers."""

    __slots__ = ("_failure", "_search", "_shut", "_state")

    def __init__(
        self, state: State, search: Search, attempt: Trying[Begun], flight: Flight, size: SizeClass
    ) -> None:
        self._state = state
        self._search = search
        self._attempt = attempt
        self._flight = flight
        self._size = size
        self._answering = None
        self._failure: GatestackError | None = None
        self._shut: list[Deployment] = []

    async def answer(self) -> Begun:
        found = await self._found()
        if found is None:
            raise self._why()
        return found

    async def _found(self) -> Begun | None:
        try:
            while (target := self._search.next()) is not None:
                answer = await self._try(target)
                if answer is not None:
                    return answer
            return None
        finally:
            if self._search.notes:
                self._flight.entry.findings += tuple(self._search.notes)

    def _why(self) -> GatestackError:
        """Nobody has answered."""
        return self._failure or nobody(each.circuit for each in self._shut)

    async def _try(self, target: Target) -> Begun | None:
        deployment = self._state.of(target)
        if not deployment.circuit.admits():
            self._shut.append(deployment)
            self._search.skipped(target, deployment.circuit.state)
            return None
        try:
            return await self._one(target, deployment)
        except UpstreamFault as error:
            # Without its way here, which knows this object: nobody but the collector would part them.
            self._failure = error.with_traceback(None)
            if pause := self._search.failed(target, error):
                await asyncio.sleep(pause)
        except Declined as declined:
            await self._refused(target, declined)
        except (BadRequest, Killed) as error:
            self._failure = self._failure or error.with_traceback(None)
            self._search.skipped(target, error.reason)
        return None

    async def _refused(self, target: Target, declined: Declined) -> None:
        """Raises it: nobody has asked for refusals to be told from answers."""
        raise declined


class Tries(Turns[Answer]):
    """A chat's, where an answer may be a refusal: that is better than an error, and worse than an answer."""

    __slots__ = ("_declined", "_settle")

    def __init__(
        self, state: State, search: Search, attempt: Attempt, flight: Flight, size: SizeClass
    ) -> None:
        super().__init__(state, search, attempt, flight, size)
        self._settle = attempt.settle
        self._declined: Declined | None = None

    async def answer(self) -> Answer:
        found = None
        try:
            found = await self._found()
        except UpstreamFault:
            if self._declined is None:
                raise
        except BaseException:
            if self._declined is not None:
                await self._declined.reply.close()
            raise
        if self._declined is None:
            if found is None:
                raise self._why()
            return found
        if found is None:
            return await self._settle(self._declined)
        await self._declined.reply.close()
        return found

    async def _refused(self, target: Target, declined: Declined) -> None:
        """Kept: it goes out after all when nobody has a better answer."""
        if self._declined is not None:
            await self._declined.reply.close()
        self._declined = declined.with_traceback(None)
        self._search.declined(target, declined.micros)
