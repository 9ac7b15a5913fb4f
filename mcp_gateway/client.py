"""The client of one call, as those see it who work on the answer: what it can hear, and can be asked."""

import contextlib

import msgspec
from msgspec import Struct

from mcp_gateway import capabilities, meta
from mcp_gateway.ask import Ask
from mcp_gateway.guard import Inspection
from mcp_gateway.reply import Reply
from shared import jsonrpc
from shared.account import Flight
from shared.identity.principal import Caller
from shared.jsonrpc import Envelope

# What is between the gateway and one of its sides.
_OURS = ("notifications/cancelled", "notifications/subscriptions/acknowledged", "notifications/initialized")
_LONGEST = 64


class _Level(Struct, frozen=True):
    level: str = "info"


class Client(Struct, frozen=True):
    ask: Ask
    caller: Caller
    flight: Flight
    reply: Reply
    inspection: Inspection

    async def tell(self, message: Envelope) -> None:
        """What a server says before its answer, as far as it is for this client."""
        with contextlib.suppress(msgspec.DecodeError):
            if note_for(self.ask, message) is None:
                return
            seen = await self.inspection.note(message)
            note = note_for(self.ask, seen) if seen is not None else None
            if note is not None:
                await self.reply.note(note)

    async def asked(self, request: Envelope) -> Envelope | bytes:
        """What a server asks, as it may be put to the client; or the answer to one that may not."""
        needed = capabilities.lacking(self.ask.capabilities, request.method, request.params)
        if needed:
            return capabilities.refused(request, needed)
        seen = await self.inspection.note(request)
        if seen is None:
            return jsonrpc.error(request.id, jsonrpc.INVALID_REQUEST, "this may not be asked")
        self.note(request.method)
        return seen

    def note(self, method: str) -> None:
        """The entry says what its client was asked."""
        found = f"asked:{method[:_LONGEST]}"
        if found not in self.flight.entry.findings:
            self.flight.entry.findings = (*self.flight.entry.findings, found)


def note_for(ask: Ask, message: Envelope) -> bytes | None:
    """A notification in the words of this client; None for what it has not asked for."""
    if message.method == "notifications/progress":
        if not bytes(ask.progress_token):
            return None
        params = meta.members(message.params) | {meta.PROGRESS_TOKEN: ask.progress_token}
        return jsonrpc.request(b"", message.method, msgspec.json.encode(params))
    if message.method == "notifications/message":
        return logged(message, ask.log_from)
    # What nobody here knows goes on where there is only one server that it can be from.
    unknown = bool(ask.surface.server) and message.method.startswith("notifications/")
    if unknown and message.method not in _OURS and bytes(message.params)[:1] in (b"", b"{"):
        return jsonrpc.request(b"", message.method, bytes(message.params))
    return None


def logged(message: Envelope, log_from: int | None) -> bytes | None:
    """A log message; None where it is below what is wanted. Raises msgspec.DecodeError."""
    if log_from is None:
        return None
    level = msgspec.json.decode(message.params, type=_Level).level
    if level in meta.LEVELS and meta.LEVELS.index(level) >= log_from:
        return jsonrpc.request(b"", message.method, bytes(message.params))
    return None
