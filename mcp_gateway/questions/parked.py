"""Calls whose server waits for the client, and whose client has gone to find the answer: they stay at the
replica that made them. The answer may come in at any other, which then hears the rest from here.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator

import msgspec
from msgspec import Raw, Struct

from mcp_gateway.conversation import Asked, Conversation, Talk
from mcp_gateway.mail import Mail
from mcp_gateway.questions.elsewhere import (
    RESUME,
    Elsewhere,
    Ended,
    Questions,
    Resume,
    Said,
    Taken,
    Told,
    gone,
    packed,
)
from mcp_gateway.questions.wording import encoded
from mcp_gateway.sessions import owner_of
from mcp_gateway.upstreams.chores import Chores
from mcp_gateway.upstreams.upstream import Aside
from shared import jsonrpc
from shared.errors import GatestackError, LimitExceeded
from shared.kill import KillSwitch
from shared.ledger.entry import Entry

_MOST, _MOST_OF_ONE = 2000, 64
# Several questions that a server asks at once come one after the other.
_TOGETHER_SECONDS = 0.01
_RETRY_SECONDS = 5.0


class _Call(Struct):
    talk: Conversation
    asked: dict[str, Aside]
    who: tuple[str, ...]
    entry: Entry
    token: int
    timer: asyncio.TimerHandle


class Parked:
    """What waits too long, or is killed while it waits, is cancelled at its server."""

    def __init__(self, mail: Mail, kill: KillSwitch) -> None:
        self._mail = mail
        self._kill = kill
        self._calls: dict[str, _Call] = {}
        self._relaying: set[asyncio.Task[None]] = set()
        self._chores = Chores()
        mail.on(RESUME, self._resume)

    async def park(self, talk: Conversation, first: Aside, entry: Entry) -> Asked:
        """Keeps a call until somebody `take`s it. Raises LimitExceeded."""
        who = owner_of(entry.caller) if entry.caller is not None else ()
        if len(self._calls) >= _MOST or sum(call.who == who for call in self._calls.values()) >= _MOST_OF_ONE:
            raise LimitExceeded("too many calls wait for answers already", retry_after=_RETRY_SECONDS)
        await asyncio.sleep(_TOGETHER_SECONDS)
        found = [first]
        while (more := talk.waiting_aside()) is not None:
            found.append(more)
        asked = {f"q{place}": one for place, one in enumerate(found, 1) if one.message.has_id}
        name = secrets.token_hex(8)
        timer = asyncio.get_running_loop().call_later(talk.left, self._drop, name)
        token = self._kill.enter(entry, lambda _: self._drop(name))
        self._calls[name] = _Call(talk, asked, who, entry, token, timer)
        return self._asked(name, asked)

    async def take(self, address: str, responses: dict[str, Raw]) -> Talk | Asked:
        """The call that waits at `address`, on its way again; or what it still asks. Raises BadRequest where
        it does not wait any more.
        """
        replica, _, name = address.partition("/")
        if replica == self._mail.replica:
            return self._taken(name, responses)
        return await Elsewhere.resumed(self._mail, replica, name, responses)

    def untold(self, entry: Entry) -> None:
        """The request of `entry` ended before its client knew what it is asked: nobody can answer that."""
        for name in [name for name, call in self._calls.items() if call.entry is entry]:
            self._drop(name)

    async def close(self) -> None:
        # Not as chores: those are ended, and may not even have begun to end a call.
        left = [call.talk for name in list(self._calls) if (call := self._forget(name)) is not None]
        await asyncio.gather(*(talk.close() for talk in left), return_exceptions=True)
        for task in self._relaying:
            task.cancel()
        await asyncio.gather(*self._relaying, return_exceptions=True)
        await self._chores.close()

    def _taken(self, name: str, responses: dict[str, Raw]) -> Conversation | Asked:
        call = self._calls.get(name)
        if call is None:
            raise gone()
        if any(bytes(responses.get(key, Raw()))[:1] != b"{" for key in call.asked):
            return self._asked(name, call.asked)
        self._forget(name)
        for key, one in call.asked.items():
            one.respond(jsonrpc.result(one.message.id, bytes(responses[key])))
        return call.talk

    def _asked(self, name: str, asked: dict[str, Aside]) -> Asked:
        return Asked({key: one.message for key, one in asked.items()}, f"{self._mail.replica}/{name}")

    def _forget(self, name: str) -> _Call | None:
        call = self._calls.pop(name, None)
        if call is not None:
            call.timer.cancel()
            self._kill.leave(call.token)
        return call

    def _drop(self, name: str) -> None:
        call = self._forget(name)
        if call is not None:
            self._chores.add(call.talk.close())

    def _resume(self, letter: bytes) -> None:
        """Another replica has the answers."""
        wanted = msgspec.msgpack.decode(letter, type=Resume)
        call = self._calls.get(wanted.name)
        try:
            talk = self._taken(wanted.name, {key: Raw(raw) for key, raw in wanted.responses.items()})
        except GatestackError as error:
            self._chores.add(self._mail.post(wanted.reply, packed(Ended(error.detail))))
            return
        if isinstance(talk, Asked):
            self._chores.add(self._mail.post(wanted.reply, packed(_questions(talk))))
            return
        assert call is not None
        task = asyncio.create_task(self._relay(talk, wanted.reply, call.entry))
        self._relaying.add(task)
        task.add_done_callback(self._relaying.discard)

    async def _relay(self, talk: Conversation, reply: str, entry: Entry) -> None:
        """Tells `reply` what the call says, to its end or to its next question."""
        parked, task = False, asyncio.current_task()
        assert task is not None
        try:
            with self._mail.opened(lambda _: _cancel(task)) as left:
                await self._mail.post(reply, packed(Taken(left.address)))
                async for told in self._told(talk, entry):
                    parked = isinstance(told, Questions)
                    await self._mail.post(reply, packed(told))
        except GatestackError as error:
            await self._mail.post(reply, packed(Ended(error.detail)))
        finally:
            if not parked:
                await talk.close()

    async def _told(self, talk: Conversation, entry: Entry) -> AsyncIterator[Told]:
        while True:
            said = await talk.next()
            message = said.message if isinstance(said, Aside) else said
            if isinstance(said, Aside) and message.has_id:
                yield _questions(await self.park(talk, said, entry))
                return
            yield Said(encoded(message))
            if not message.method:
                return


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


def _questions(asked: Asked) -> Questions:
    raws = {key: encoded(one) for key, one in asked.questions.items()}
    return Questions(raws, asked.address)
