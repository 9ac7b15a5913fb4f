"""One stream to a client that listens: what servers say goes out on it in the words of this client."""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from mcp_gateway import capabilities, meta
from mcp_gateway.ask import Ask
from mcp_gateway.authorize import Authorize
from mcp_gateway.client import logged
from mcp_gateway.questions.desk import Desk
from mcp_gateway.questions.wording import Question, readdressed
from mcp_gateway.reply import Reply
from mcp_gateway.standing.changes import Change
from mcp_gateway.standing.heard import Heard
from mcp_gateway.upstreams.ears import UPDATED, updated
from mcp_gateway.upstreams.greeting import LIST_FILTERS
from mcp_gateway.upstreams.upstream import Aside
from shared import jsonrpc
from shared.account import Flight
from shared.errors import GatestackError, Killed
from shared.identity.principal import Caller
from shared.jsonrpc import Envelope
from shared.kill import KillSwitch

SUBSCRIPTION_ID = meta.PREFIX + "subscriptionId"
_MOST_OPEN = 16
_SHOWN = 64


class Ear(Struct, frozen=True):
    """Who listens: `lists` are the notifications of changed lists that are wanted. `subscription` is what the
    stateless era marks each message with.
    """

    ask: Ask
    caller: Caller
    flight: Flight
    reply: Reply
    lists: frozenset[str] = frozenset(LIST_FILTERS.values())
    subscription: Raw = Raw()

    async def say(self, method: str, params: meta.Members) -> None:
        if bytes(self.subscription):
            own = meta.members(params.get("_meta", Raw())) | {SUBSCRIPTION_ID: self.subscription}
            params = params | {"_meta": Raw(msgspec.json.encode(own))}
        body = msgspec.json.encode(params) if params else b""
        await self.reply.note(jsonrpc.request(b"", method, body))

    def note(self, method: str) -> None:
        """The entry says what the client was asked."""
        found, entry = f"asked:{method[:_SHOWN]}", self.flight.entry
        if found not in entry.findings:
            entry.findings = (*entry.findings, found)


class Stream:
    def __init__(self, ear: Ear, heard: Heard, authorize: Authorize, desk: Desk, kill: KillSwitch) -> None:
        self._ear = ear
        self._heard = heard
        self._authorize = authorize
        self._desk = desk
        self._kill = kill
        self._asking: set[asyncio.Task[None]] = set()

    async def run(self, changes: asyncio.Queue[Change], until: Sequence[Coroutine[Any, Any, None]]) -> None:
        """Until one of `until` ends, or something of ours fails."""
        work = [self._tell_changes(changes), self._tell_notes(), *until]
        if self._heard.asides is not None:
            work.append(self._ask_all(self._heard.asides))
        tasks = [asyncio.create_task(one) for one in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (*tasks, *self._asking):
                task.cancel()
            await asyncio.gather(*tasks, *self._asking, return_exceptions=True)

    async def _tell_changes(self, changes: asyncio.Queue[Change]) -> None:
        ear = self._ear
        while True:
            server, method = await changes.get()
            if not self._alive(server):
                continue
            if await self._authorize.sees(server, ear.caller, ear.ask.surface):
                for one in (method,) if method else sorted(ear.lists):
                    if one in ear.lists:
                        await ear.say(one, {})

    async def _tell_notes(self) -> None:
        while True:
            server, message = await self._heard.notes.get()
            if self._alive(server):
                with contextlib.suppress(msgspec.DecodeError):
                    await self._tell(server, message)

    async def _tell(self, server: str, message: Envelope) -> None:
        ear = self._ear
        if message.method == UPDATED:
            uri = updated(message)
            exposed = self._heard.name(server, uri)
            if exposed is not None and await self._authorize.reads(server, uri, ear.caller):
                await ear.say(UPDATED, {"uri": Raw(msgspec.json.encode(exposed))})
        elif message.method == "notifications/message" and not ear.ask.era.stateless:
            note = logged(message, ear.ask.log_from)
            if note is not None:
                await ear.reply.note(note)

    async def _ask_all(self, asides: asyncio.Queue[Aside]) -> None:
        while True:
            aside = await asides.get()
            if not aside.message.has_id:
                continue
            if len(self._asking) >= _MOST_OPEN:
                error = jsonrpc.error(aside.message.id, jsonrpc.INTERNAL_ERROR, "too many questions at once")
                aside.respond(error)
                continue
            task = asyncio.create_task(self._ask(aside))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _ask(self, aside: Aside) -> None:
        request, ear = aside.message, self._ear
        needed = capabilities.lacking(ear.ask.capabilities, request.method, request.params)
        if needed or ear.ask.session is None:
            aside.respond(capabilities.refused(request, needed))
            return
        ear.note(request.method)
        try:
            question = Question(request.method, request.params)
            answer = await self._desk.ask(ear.ask.session, question, ear.reply.note)
        except GatestackError as error:
            aside.respond(jsonrpc.error(request.id, jsonrpc.INTERNAL_ERROR, error.detail))
        else:
            aside.respond(readdressed(answer, request.id))

    def _alive(self, server: str) -> bool:
        """A server that has been stopped says nothing more to anybody."""
        try:
            self._kill.check(msgspec.structs.replace(self._ear.flight.entry, server=server))
        except (Killed, GatestackError):
            return False
        return True
