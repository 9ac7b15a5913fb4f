"""One message worked on: the events of its task, from its beginning to its end. A bridge works while somebody
listens; who leaves, is killed or cancels the task ends the work with it.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

import msgspec

from agent_gateway.bridges import Bridging, Part, Said, Work
from agent_gateway.bridges.records import CANCELED, COMPLETED, FAILED, WAITING, WORKING, Record, Records
from shared.bridges import Bridge
from shared.errors import Fault, GatestackError
from shared.ledger.entry import new_id

Json = dict[str, Any]
_LOOK_SECONDS = 0.5


class Worker:
    """`kinds` are the bridges there are."""

    def __init__(self, kinds: Mapping[type[Bridge], Bridging], records: Records) -> None:
        self._kinds = kinds
        self._records = records

    async def events(self, work: Work) -> AsyncGenerator[Json, None]:
        """Events in the form of A2A 1.0, the task first. Raises GatestackError as long as nobody has begun to
        work on it: afterwards a task that fails says so itself.
        """
        agent, caller = work.target.agent, work.flight.entry.caller
        if agent.bridge is None or caller is None:
            raise Fault(f"{agent.name} is no bridge")
        made, record = _Made(), Record(id=work.asked.taskId or new_id(), context=work.context)

        async def going_on() -> bool:
            held = await self._records.find(agent.name, caller, record.id)
            return held is None or held.state == WORKING

        async with aclosing(self._kinds[type(agent.bridge)].answer(work)) as pieces:
            await anext(pieces)
            await self._records.begin(agent.name, caller, record)
            try:
                yield {"task": record.task}
                listening = _Listening(pieces, agent.bridge.seconds, going_on)
                while (said := await listening.next()) is not None:
                    if parts := made.add(said):
                        yield record.grown(parts, more=made.grown > 1)
                made.complete()
            except _Canceled:
                pass
            except TimeoutError:
                made.fail(f"it took longer than {agent.bridge.seconds:g} seconds")
            except GatestackError as error:
                made.fail(error.detail)
            finally:
                # Whoever leaves in the middle leaves it canceled.
                ended = await self._records.end(agent.name, caller, made.into(record))
        yield ended.changed()


class _Made:
    """What has come of a task until now."""

    def __init__(self) -> None:
        self.grown = 0
        self._state = CANCELED
        self._texts: list[str] = []
        self._parts: list[Part] = []
        self._words = ""

    def add(self, said: Said) -> tuple[Part, ...]:
        """The new parts of its artifact."""
        new = said.parts
        if said.wants or said.failed:
            self._state, self._words = WAITING if said.wants else FAILED, said.text
        elif said.text:
            self._texts.append(said.text)
            new = ({"text": said.text}, *said.parts)
        self._parts += said.parts
        self.grown += bool(new)
        return new

    def complete(self) -> None:
        if self._state == CANCELED:
            self._state = COMPLETED

    def fail(self, words: str) -> None:
        self._state, self._words = FAILED, words

    def into(self, record: Record) -> Record:
        text: tuple[Part, ...] = ({"text": "".join(self._texts)},) if self._texts else ()
        return msgspec.structs.replace(
            record, state=self._state, words=self._words, parts=(*text, *self._parts)
        )


class _Listening:
    """Takes pieces as they come, for `seconds` at most and no longer than the task is `going_on`."""

    def __init__(
        self, pieces: AsyncGenerator[Said, None], seconds: float, going_on: Callable[[], Awaitable[bool]]
    ) -> None:
        self._pieces = pieces
        self._going_on = going_on
        self._time = asyncio.get_running_loop().time
        self._until = self._time() + seconds
        self._look_at = self._time() + _LOOK_SECONDS

    async def next(self) -> Said | None:
        """None after the last one. Raises TimeoutError, and _Canceled when the task has been."""
        coming = asyncio.create_task(self._take())
        try:
            while True:
                await asyncio.wait({coming}, timeout=max(0.0, min(self._look_at, self._until) - self._time()))
                if self._time() >= self._until:
                    raise TimeoutError
                if self._time() >= self._look_at:
                    if not await self._going_on():
                        raise _Canceled
                    self._look_at = self._time() + _LOOK_SECONDS
                if coming.done():
                    return coming.result()
        finally:
            if not coming.done():
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)

    async def _take(self) -> Said | None:
        return await anext(self._pieces, None)


class _Canceled(Exception):
    """Somebody has asked for the task to end."""
