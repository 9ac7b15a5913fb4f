"""Puts one call to its server and brings back what the server says, as the client's era expects it."""

import asyncio
import hashlib
from contextlib import nullcontext
from functools import partial

import msgspec
from msgspec import Raw, Struct

from mcp_gateway import meta, mirrors
from mcp_gateway.ask import Ask, renamed
from mcp_gateway.bombs import defuse
from mcp_gateway.capabilities import askable
from mcp_gateway.catalog import Catalog
from mcp_gateway.client import Client
from mcp_gateway.guard import Inspection
from mcp_gateway.items import Item
from mcp_gateway.questions.opened import Questions
from mcp_gateway.reply import Reply
from mcp_gateway.route import Target
from mcp_gateway.running import Running
from mcp_gateway.sessions import owner_of
from mcp_gateway.tasks import Tasks
from mcp_gateway.transports import AGENTS
from mcp_gateway.turns import Turns
from mcp_gateway.upstreams.upstream import Call, Upstream
from shared import jsonrpc, trace
from shared.account import Flight
from shared.asgi import Exchange
from shared.clock import Clock
from shared.dialects.mcp import status_of
from shared.errors import Reason, UpstreamBroken
from shared.identity.hand_back import HandBack
from shared.identity.principal import Caller
from shared.jsonrpc import Envelope
from shared.ledger.entry import Outcome

# Codes that only one of the eras knows, and what the other says instead.
_STATELESS_CODES = {-32002: jsonrpc.INVALID_PARAMS, -32042: jsonrpc.INTERNAL_ERROR}
_SHOWN = 300
_MOST_ASIDES = 1000


class _Error(Struct, frozen=True):
    code: int = jsonrpc.INTERNAL_ERROR
    message: str = ""
    data: Raw = Raw()


class _Outcome(Struct, frozen=True):
    isError: bool = False


class Forward:
    def __init__(
        self,
        upstreams: dict[str, Upstream],
        catalog: Catalog,
        running: Running,
        clock: Clock,
        turns: Turns,
        hand_back: HandBack,
        questions: Questions,
        tasks: Tasks,
    ) -> None:
        self._upstreams = upstreams
        self._catalog = catalog
        self._running = running
        self._clock = clock
        self._turns = turns
        self._hand_back = hand_back
        self._asking, self._rounds = questions.asking, questions.rounds
        self._parked = questions.parked
        self._tasks = tasks

    async def __call__(
        self,
        exchange: Exchange,
        flight: Flight,
        caller: Caller,
        inspection: Inspection,
        target: Target,
        item: Item | None,
    ) -> None:
        """Relays one call. Raises BadRequest, UpstreamFault, LimitExceeded, ContentRefused, Unavailable."""
        ask = inspection.ask
        call = _call(ask, target, item, caller, flight)
        if target.server == AGENTS:
            on_behalf = partial(self._hand_back.bearer, caller, flight.entry.id, flight.trace)
            call = msgspec.structs.replace(call, on_behalf=on_behalf)
        flight.entry.attempts = 1
        cancellable = (
            self._running.entered(ask.session.id, ask.id, flight)
            if ask.session is not None
            else nullcontext()
        )
        with cancellable:
            async with self._turns.taken(target.server), Reply(exchange, streams=ask.streams) as reply:
                try:
                    await self._relay(call, target, Client(ask, caller, flight, reply, inspection))
                except BaseException:
                    self._parked.untold(flight.entry)
                    raise

    async def _relay(self, call: Call, target: Target, client: Client) -> None:
        began = self._clock.monotonic()
        await self._tasks.check(target.server, client.caller, client.ask)
        client.flight.sends()
        answer = await self._answer(call, target.server, client)
        await self._tasks.begun(target.server, client.caller, bytes(answer.result))
        client.flight.entry.upstream_us = int((self._clock.monotonic() - began) * 1_000_000)
        status, message = await self._finished(target, answer, client)
        await client.reply.finish(status, message)

    async def _answer(self, call: Call, server: str, client: Client) -> Envelope:
        """The server's answer; what it says before goes on to the client."""
        upstream, rule = self._upstreams[server], self._catalog.rule(server)
        way = self._rounds if client.ask.era.stateless else self._asking
        try:
            return await way(upstream, call, rule, client)
        except (msgspec.DecodeError, RecursionError) as error:
            raise _unreadable(server, error) from error

    async def _finished(self, target: Target, answer: Envelope, client: Client) -> tuple[int, bytes]:
        """Status and body of what the server answered."""
        defuse(target.server, self._catalog.rule(target.server), bytes(answer.result))
        try:
            return _finished(client.ask, target, await client.inspection.answer(answer), client.flight)
        except (msgspec.DecodeError, RecursionError) as error:
            raise _unreadable(target.server, error) from error


def _unreadable(server: str, error: Exception) -> UpstreamBroken:
    return UpstreamBroken(f"the MCP server {server!r} answered with something unreadable", cause=error)


def _call(ask: Ask, target: Target, item: Item | None, caller: Caller, flight: Flight) -> Call:
    wanted = item.arguments.mirrors if item is not None and target.kind == "tool" else ()
    arguments = ask.named.arguments if ask.named is not None else {}
    if "arguments" in ask.params:
        flight.entry.digest = hashlib.sha256(ask.params["arguments"]).hexdigest()
    return Call(
        method=ask.method.name,
        params=renamed(ask.method, ask.params, target.name),
        meta=ask.meta,
        owner=owner_of(caller),
        caller=caller,
        progress=bool(bytes(ask.progress_token)),
        log_level=meta.LEVELS[ask.log_from] if ask.log_from is not None else "",
        capabilities=ask.capabilities,
        asides=asyncio.Queue(_MOST_ASIDES) if askable(ask.capabilities) else None,
        traceparent=trace.render(flight.trace),
        headers=mirrors.headers(wanted, arguments) if wanted else (),
    )


def _finished(ask: Ask, target: Target, answer: Envelope, flight: Flight) -> tuple[int, bytes]:
    """Status and body of what the server answered."""
    if bytes(answer.error):
        return _failed(ask, answer.error, flight)
    result = bytes(answer.result)
    if result[:1] != b"{":
        raise UpstreamBroken(f"the MCP server {target.server!r} answered with a result that is no object")
    if b'"isError"' in result and msgspec.json.decode(result, type=_Outcome).isError:
        flight.entry.detail = flight.entry.detail or "the tool reported an error"
    dressed = ask.era.dressed(ask.method, ask.surface.result(target.server, result))
    return 200, jsonrpc.result(ask.id, dressed)


def _failed(ask: Ask, raw: Raw, flight: Flight) -> tuple[int, bytes]:
    """A server's own error goes on to the client, in a code that its era knows."""
    error = msgspec.json.decode(raw, type=_Error)
    data = msgspec.json.decode(error.data) if bytes(error.data) else None
    code = _STATELESS_CODES.get(error.code, error.code) if ask.era.stateless else error.code
    flight.entry.outcome, flight.entry.reason = Outcome.FAILED, Reason.UPSTREAM_REFUSED
    flight.entry.detail = f"{error.code} {error.message}"[:_SHOWN]
    status = status_of(code, stateless=ask.era.stateless)
    return status, jsonrpc.error(ask.id, code, error.message, data)
