"""Stage: a person's consent to one call, where policy asks for it, or the operator for every tool that
destroys something.
"""

import contextlib

import msgspec
from msgspec import Raw

from mcp_gateway.ask import Ask
from mcp_gateway.catalog import Catalog
from mcp_gateway.check import check
from mcp_gateway.items import DESTRUCTIVE
from mcp_gateway.meta import PROGRESS_TOKEN
from mcp_gateway.methods import KEYS
from mcp_gateway.questions.consent import CallersConsent
from mcp_gateway.reply import Reply
from mcp_gateway.route import Target
from mcp_gateway.running import Running
from shared import jsonrpc
from shared.account import Flight
from shared.approvals import Park
from shared.asgi import Exchange
from shared.policy import Grant

_RULE = "destructive"
_NOTHING = Raw(b"{}")


class Approve:
    """With `destructive`, a tool that destroys needs consent whether policy asks for it or not."""

    def __init__(
        self, park: Park, asked: CallersConsent, catalog: Catalog, running: Running, *, destructive: bool
    ) -> None:
        self._park = park
        self._asked = asked
        self._catalog = catalog
        self._running = running
        self._destructive = destructive

    async def __call__(
        self, grant: Grant, ask: Ask, target: Target | None, exchange: Exchange, flight: Flight
    ) -> None:
        """Raises Unapproved, Unavailable, and what `check` does: nobody is asked about a call that is wrong
        in itself.
        """
        if target is None or not (grant.decision.approval or self._destroys(target)):
            return
        findings = flight.entry.findings
        await check(ask, target, self._catalog, exchange, flight)
        # They are noted by the stage whose they are.
        flight.entry.findings = findings
        session = ask.session.id if ask.session is not None else ""
        cancellable = self._running.entered(session, ask.id, flight) if session else contextlib.nullcontext()
        with cancellable:
            async with Reply(exchange, streams=ask.streams) as reply:
                if grant.decision.approver == "caller" and not self._destroys(target):
                    word = await self._asked(grant, ask, _arguments(ask), reply)
                    if word is not None:
                        self._park.taken(flight, grant, word)
                        return

                async def tell(approval: str) -> None:
                    if bytes(ask.progress_token):
                        await reply.note(_waiting(ask, approval))

                await self._park(flight, grant, _arguments(ask), rule=_RULE, tell=tell)

    def _destroys(self, target: Target) -> bool:
        return self._destructive and DESTRUCTIVE in target.labels


def _arguments(ask: Ask) -> bytes:
    """What the call says besides the name that it is about: where that is only `arguments`, those. Anything
    more stands in a list, so that no arguments pass for it.
    """
    said = {name: value for name, value in ask.params.items() if name != KEYS[ask.method.kind]}
    if said.keys() <= {"arguments"}:
        return bytes(said.get("arguments", _NOTHING))
    return msgspec.json.encode([said])


def _waiting(ask: Ask, approval: str) -> bytes:
    params = {
        PROGRESS_TOKEN: ask.progress_token,
        "progress": 0,
        "message": f"waits for a person's approval: {approval}",
    }
    return jsonrpc.request(b"", "notifications/progress", msgspec.json.encode(params))
