"""Stage: content guards, in their order, over what a call says and over what comes back. What they are is in
`shared/guards`.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from mcp_gateway.ask import Ask, Named
from mcp_gateway.config import GUARDED
from mcp_gateway.contents import walk_answer, walk_params
from mcp_gateway.route import Target
from shared.account import Flight
from shared.errors import ContentRefused, GatestackError, Unavailable, UpstreamBroken
from shared.guards import guard_of
from shared.guards.run import Run
from shared.guards.section import AnyGuardSection
from shared.guards.selected import Guards
from shared.guards.taint import Taint
from shared.guards.texts import opened
from shared.guards.verdict import Occasion
from shared.http_client import HttpClient
from shared.identity.principal import Caller
from shared.jsonrpc import Envelope
from shared.ledger.entry import Outcome
from shared.limits.facts import caller_facts
from shared.limits.limiter import Limiter


class Inspection:
    """The ticket of one call: `ask` as it may go on, and the guards that want to see what comes back."""

    __slots__ = ("_flight", "_run", "_taint", "ask")

    def __init__(
        self,
        ask: Ask,
        run: Run[Occasion] | None = None,
        taint: Taint[Occasion] | None = None,
        flight: Flight | None = None,
    ) -> None:
        self.ask = ask
        self._run = run
        self._taint = taint
        self._flight = flight

    async def answer(self, answer: Envelope) -> Envelope:
        """A server's answer as it may go on. A tool's result that is stopped is a tool's error: the tool has
        run. Raises ContentRefused, UpstreamBroken, Unavailable.
        """
        if self._run is None:
            return answer
        try:
            if bytes(answer.error):
                return msgspec.structs.replace(answer, error=await self._seen(answer.error))
            return msgspec.structs.replace(answer, result=await self._seen(answer.result))
        except (ContentRefused, Unavailable) as error:
            if self.ask.method.name != "tools/call":
                raise
            return Envelope(id=answer.id, result=self._stopped(error))

    async def note(self, message: Envelope) -> Envelope | None:
        """What a server says before its answer, as it may go on; None where it may not."""
        if self._run is None or not bytes(message.params):
            return message
        try:
            return msgspec.structs.replace(message, params=await self._seen(message.params))
        except (ContentRefused, Unavailable, UpstreamBroken):
            return None

    async def _seen(self, raw: Raw) -> Raw:
        assert self._run is not None
        assert self._taint is not None
        given = opened(raw, "server")
        async with self._taint:
            seen = await self._run.through(given, walk_answer, "reply")
        return raw if seen is given else Raw(msgspec.json.encode(seen))

    def _stopped(self, error: GatestackError) -> Raw:
        assert self._flight is not None
        entry = self._flight.entry
        refused = isinstance(error, ContentRefused)
        entry.outcome = Outcome.REFUSED if refused else Outcome.FAILED
        entry.reason, entry.detail = error.reason, error.detail
        if isinstance(error, ContentRefused):
            entry.decision, entry.rule = "deny", error.rule
        text = f"The tool has run, and its result is withheld: {error.detail}."
        return Raw(msgspec.json.encode({"content": [{"type": "text", "text": text}], "isError": True}))


class Guard:
    def __init__(self, sections: Sequence[AnyGuardSection], http: HttpClient, limiter: Limiter) -> None:
        self._guards = Guards(sections, lambda section: guard_of(section, http), places=GUARDED)
        self._limiter = limiter

    async def __call__(self, ask: Ask, target: Target | None, caller: Caller, flight: Flight) -> Inspection:
        """Asks the guards that this call has about what it says. Raises ContentRefused, Unavailable."""
        active = self._guards.matching(_facts(caller, target)) if target is not None else ()
        if target is None or not active:
            return Inspection(ask)
        occasion = Occasion(
            target=target.resource, reply=f"the answer of {target.resource[:200]}", spoken=("call", "tool")
        )
        run = Run.open(active, occasion, flight)
        taint = Taint(run, self._limiter, caller)
        before = run.on("request")
        if before is not None:
            async with taint:
                ask = await _looked_at(ask, before)
        after = run.on("reply")
        return Inspection(ask, after, taint, flight) if after is not None else Inspection(ask)


async def _looked_at(ask: Ask, run: Run[Occasion]) -> Ask:
    """The call as it may go on; the very same where nothing has changed, and its other parameters as they
    were written where something has.
    """
    given = {name: msgspec.json.decode(value) for name, value in ask.params.items()}
    seen = await run.through(given, walk_params, "request")
    changed = {name: value for name, value in seen.items() if value is not given[name]}
    if not changed:
        return ask
    named = ask.named
    if named is not None and isinstance(changed.get("arguments"), dict):
        named = Named(named.kind, named.name, changed["arguments"])
    params = {name: Raw(msgspec.json.encode(value)) for name, value in changed.items()}
    return msgspec.structs.replace(ask, params=ask.params | params, named=named, wrapped=True)


def _facts(caller: Caller, target: Target) -> dict[str, str | Sequence[str]]:
    return {
        **caller_facts(caller),
        "server": target.server,
        "tool": f"{target.server}/{target.name}" if target.kind == "tool" else "",
        "label": target.labels,
    }
