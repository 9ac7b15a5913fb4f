"""Stage: sends a call to its agent and the answer back. An agent's task is never started twice: nothing
is retried. A stream that is cut is taken up again, which starts nothing.
"""

from collections.abc import Awaitable, Callable, Mapping

from agent_gateway.bindings import Answer
from agent_gateway.bindings.extensions import allowed_extensions
from agent_gateway.bindings.wires import WIRES
from agent_gateway.call import Call
from agent_gateway.guard import Inspection
from agent_gateway.left import Left
from agent_gateway.push.configs import Configs
from agent_gateway.relay import Relay
from agent_gateway.route import Route, Target
from agent_gateway.tasks import Tasks
from agent_gateway.upstream import Upstream, is_stream
from shared.account import Flight
from shared.asgi import Exchange
from shared.attempts import Breaker, first_success
from shared.clock import Clock
from shared.errors import UpstreamBroken
from shared.http_client import Reply
from shared.identity.principal import Caller

# Answers that are put together here: from what the agent is asked in another way, or from our own records.
Own = Callable[[Exchange, Flight, Caller, Call, Target], Awaitable[Answer]]
_NO_STORE = (b"cache-control", b"no-store")


class Forward:
    """`own` are operations that are not simply sent on; `configs` puts our webhook in place of a client's;
    `left` keeps what goes on at agents in a kill's reach.
    """

    def __init__(
        self,
        clock: Clock,
        tasks: Tasks,
        route: Route,
        upstream: Upstream,
        *,
        own: Mapping[str, Own],
        configs: Configs,
        left: Left,
    ) -> None:
        self._tasks = tasks
        self._route = route
        self._upstream = upstream
        self._own = own
        self._configs = configs
        self._left = left
        self._breaker = Breaker(clock)

    async def __call__(
        self,
        exchange: Exchange,
        flight: Flight,
        caller: Caller,
        call: Call,
        target: Target,
        inspection: Inspection,
    ) -> None:
        """Raises UpstreamFault, Unavailable while the agent is known to be down, and what guards raise."""
        own = self._own.get(call.method.name)
        if own is not None:
            flight.sends()
            answer = await inspection.whole(call, await own(exchange, flight, caller, call, target))
            await _reply(exchange, call, answer, [_NO_STORE])
            return
        call, target = await self._configs.replaced(exchange, flight, caller, call, target)
        relay = Relay(self._tasks, flight, caller, call, target, self._configs.bound, inspection)
        try:
            await self._relayed(exchange, flight, call, target, relay)
        finally:
            if relay.task:
                self._left.note(flight.entry, target, relay.task)
            elif relay.over:
                self._left.forget(flight.entry, target, flight.entry.task)

    async def _relayed(
        self, exchange: Exchange, flight: Flight, call: Call, target: Target, relay: Relay
    ) -> None:
        async def attempt(one: Target) -> Reply:
            flight.sends()
            return await self._upstream.open(one, flight)

        async def resumed(task: str) -> tuple[Call, Reply] | None:
            return await self._resumed(target, task, flight)

        reply = await first_success(
            (target,), attempt, breaker=self._breaker, name=lambda one: f"{one.agent.name} {one.base}"
        )
        async with reply:
            headers = _headers(reply, call)
            if is_stream(reply):
                if reply.status != 200 or not call.method.streams:
                    raise UpstreamBroken(f"the agent answered {call.method.name} with a stream")
                await relay.events(exchange, reply, headers, resumed)
            else:
                answer = await relay.looked_at(await self._upstream.whole(call, target, reply))
                await _reply(exchange, call, await relay.inspection.whole(call, answer), headers)

    async def _resumed(self, target: Target, task: str, flight: Flight) -> tuple[Call, Reply] | None:
        """A new stream about `task` in place of one that was cut; None where the agent has none to give."""
        call, again = self._route.resubscription(target, task)
        reply = await self._upstream.open(again, flight)
        if reply.status == 200 and is_stream(reply):
            return call, reply
        await reply.close()
        return None


async def _reply(exchange: Exchange, call: Call, answer: Answer, headers: list[tuple[bytes, bytes]]) -> None:
    if exchange.started:
        # It was begun as a stream while the call waited for a person.
        await exchange.finish(WIRES[call.wire].event(call, answer))
        return
    written = WIRES[call.wire].whole(call, answer)
    kind = (b"content-type", written.kind.encode())
    await exchange.reply(written.status, [*headers, kind], written.body)


def _headers(reply: Reply, call: Call) -> list[tuple[bytes, bytes]]:
    """What of the agent's headers is for the client: which of the extensions it asked for are active."""
    given = reply.header("a2a-extensions") or reply.header("x-a2a-extensions")
    active = allowed_extensions([given], frozenset(call.extensions)) if given is not None else ()
    if not active:
        return [_NO_STORE]
    name = b"x-a2a-extensions" if call.wire.endswith("0.3") else b"a2a-extensions"
    return [_NO_STORE, (name, ", ".join(active).encode("latin-1"))]
