"""Puts one call to its server and brings back what the server says, as the client's era expects it."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext

import msgspec
from msgspec import Raw, Struct

from mcp_gateway import meta, mirrors
from mcp_gateway.ask import Ask, renamed
from mcp_gateway.bombs import defuse
from mcp_gateway.catalog import Catalog
from mcp_gateway.items import Item
from mcp_gateway.reply import Reply
from mcp_gateway.route import Target
from mcp_gateway.running import Running
from mcp_gateway.sessions import owner_of
from mcp_gateway.turns import Turns
from mcp_gateway.upstreams.upstream import Call, Upstream
from shared import jsonrpc, trace
from shared.account import Flight
from shared.asgi import Exchange
from shared.clock import Clock
from shared.dialects.mcp import status_of
from shared.errors import Reason, UpstreamBroken, UpstreamTimeout
from shared.identity.principal import Caller
from shared.jsonrpc import Envelope
from shared.ledger.entry import Outcome

# Codes that only one of the eras knows, and what the other says instead.
_STATELESS_CODES = {-32002: jsonrpc.INVALID_PARAMS, -32042: jsonrpc.INTERNAL_ERROR}
_SHOWN = 300


class _Error(Struct, frozen=True):
    code: int = jsonrpc.INTERNAL_ERROR
    message: str = ""
    data: Raw = Raw()


class _Outcome(Struct, frozen=True):
    isError: bool = False


class _Level(Struct, frozen=True):
    level: str = "info"


class Forward:
    def __init__(
        self,
        upstreams: dict[str, Upstream],
        catalog: Catalog,
        running: Running,
        clock: Clock,
        turns: Turns,
    ) -> None:
        self._upstreams = upstreams
        self._catalog = catalog
        self._running = running
        self._clock = clock
        self._turns = turns

    async def __call__(
        self, exchange: Exchange, flight: Flight, caller: Caller, ask: Ask, target: Target, item: Item | None
    ) -> None:
        """Relays one call. Raises UpstreamFault, LimitExceeded."""
        call = _call(ask, target, item, caller, flight)
        flight.entry.attempts = 1
        cancellable = (
            self._running.entered(ask.session.id, ask.id, flight)
            if ask.session is not None
            else nullcontext()
        )
        with cancellable:
            async with self._turns.taken(target.server), Reply(exchange, streams=ask.streams) as reply:
                began = self._clock.monotonic()
                answer = await self._answer(call, target.server, ask, reply)
                flight.entry.upstream_us = int((self._clock.monotonic() - began) * 1_000_000)
                defuse(target.server, self._catalog.rule(target.server), bytes(answer.result))
                try:
                    status, message = _finished(ask, target, answer, flight)
                except (msgspec.DecodeError, RecursionError) as error:
                    raise UpstreamBroken(
                        f"the MCP server {target.server!r} answered with something unreadable", cause=error
                    ) from error
                await reply.finish(status, message)

    async def _answer(self, call: Call, server: str, ask: Ask, reply: Reply) -> Envelope:
        """The server's answer; what it says before goes on to the client."""
        rule = self._catalog.rule(server)
        deadline = self._clock.monotonic() + rule.deadline_seconds
        async with aclosing(self._upstreams[server].call(call)) as messages:
            while True:
                left = deadline - self._clock.monotonic()
                message = await _next(messages, server, min(rule.timeout_seconds, max(left, 0.0)), left)
                if not message.method:
                    return message
                with contextlib.suppress(msgspec.DecodeError):
                    note = _note(ask, message)
                    if note is not None:
                        await reply.note(note)


async def _next(
    messages: AsyncGenerator[Envelope, None], server: str, patience: float, left: float
) -> Envelope:
    try:
        async with asyncio.timeout(patience):
            return await anext(messages)
    except TimeoutError as error:
        said = "did not finish in time" if left <= patience else f"said nothing for {patience:g} s"
        raise UpstreamTimeout(f"the MCP server {server!r} {said}", cause=error) from error
    except StopAsyncIteration as error:
        raise UpstreamBroken(f"the MCP server {server!r} ended without an answer", cause=error) from error


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
        progress=bool(bytes(ask.progress_token)),
        log_level=meta.LEVELS[ask.log_from] if ask.log_from is not None else "",
        capabilities=ask.capabilities,
        traceparent=trace.render(flight.trace),
        headers=mirrors.headers(wanted, arguments) if wanted else (),
    )


def _note(ask: Ask, message: Envelope) -> bytes | None:
    """What a server says before its answer, for this client; None for what is not for it."""
    if message.method == "notifications/progress" and bytes(ask.progress_token):
        params = meta.members(message.params) | {meta.PROGRESS_TOKEN: ask.progress_token}
        return jsonrpc.request(b"", message.method, msgspec.json.encode(params))
    if message.method == "notifications/message" and ask.log_from is not None:
        level = msgspec.json.decode(message.params, type=_Level).level
        if level in meta.LEVELS and meta.LEVELS.index(level) >= ask.log_from:
            return jsonrpc.request(b"", message.method, bytes(message.params))
    return None


def _finished(ask: Ask, target: Target, answer: Envelope, flight: Flight) -> tuple[int, bytes]:
    """Status and body of what the server answered."""
    if bytes(answer.error):
        return _failed(ask, answer.error, flight)
    result = bytes(answer.result)
    if result[:1] != b"{":
        raise UpstreamBroken(f"the MCP server {target.server!r} answered with a result that is no object")
    if b'"isError"' in result and msgspec.json.decode(result, type=_Outcome).isError:
        flight.entry.detail = "the tool reported an error"
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
