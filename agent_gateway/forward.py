"""Stage: sends a call to its agent and the answer back. An agent's task is never started twice: nothing
is retried.
"""

from agent_gateway.bindings import Binding
from agent_gateway.call import Call
from agent_gateway.cancel import cancel_if_killed
from agent_gateway.relay import Relay
from agent_gateway.route import Route, Target
from agent_gateway.tasks import Tasks
from agent_gateway.versions import allowed_extensions
from shared.account import Flight
from shared.asgi import Exchange
from shared.attempts import Breaker, first_success
from shared.clock import Clock
from shared.errors import UpstreamBroken, UpstreamRefused
from shared.http_client import HttpClient, Reply
from shared.identity.principal import Caller

_LONGEST_WAIT = 3600.0


class Forward:
    def __init__(
        self, http: HttpClient, clock: Clock, binding: Binding, tasks: Tasks, route: Route, *, reply_cap: int
    ) -> None:
        self._http = http
        self._clock = clock
        self._binding = binding
        self._tasks = tasks
        self._route = route
        self._reply_cap = reply_cap
        self._breaker = Breaker(clock)

    async def __call__(
        self, exchange: Exchange, flight: Flight, caller: Caller, call: Call, target: Target
    ) -> None:
        """Raises UpstreamFault, Unavailable while the agent is known to be down."""
        relay = Relay(self._binding, self._tasks, flight, caller, call, target)
        flight.on_cut.append(lambda: cancel_if_killed(flight, self._http, self._route, target, relay.task))

        async def attempt(one: Target) -> Reply:
            return await self._send(one, flight)

        reply = await first_success(
            (target,), attempt, breaker=self._breaker, name=lambda one: one.agent.name
        )
        async with reply:
            headers = _headers(reply, call)
            if _is_stream(reply):
                if reply.status != 200 or not call.method.streams:
                    raise UpstreamBroken(f"the agent answered {call.method.name} with a stream")
                await relay.events(exchange, reply, headers)
            else:
                await self._whole(exchange, relay, reply, headers)

    async def _send(self, target: Target, flight: Flight) -> Reply:
        timeouts = target.agent.timeouts
        flight.entry.attempts += 1
        began = self._clock.monotonic()
        reply = await self._http.send(
            "POST",
            target.url,
            headers=target.headers,
            body=target.body,
            connect_timeout=timeouts.connect_seconds,
            header_timeout=timeouts.header_seconds,
            idle_timeout=timeouts.idle_seconds,
        )
        flight.entry.upstream_us = int((self._clock.monotonic() - began) * 1_000_000)
        # An error status may still carry an answer in JSON-RPC; only where it cannot is it a refusal.
        if reply.status != 200 and (reply.status in (401, 403, 429) or not _is_json(reply)):
            await reply.close()
            raise _refusal(reply)
        return reply

    async def _whole(
        self, exchange: Exchange, relay: Relay, reply: Reply, headers: list[tuple[bytes, bytes]]
    ) -> None:
        body = await reply.read(self._reply_cap)
        try:
            answer = await relay.answer(body)
        except UpstreamBroken as error:
            if reply.status != 200:
                raise _refusal(reply) from error
            raise
        await exchange.reply(200, [*headers, (b"content-type", b"application/json")], answer.body)


def _refusal(reply: Reply) -> UpstreamRefused:
    after = reply.header("retry-after") or ""
    return UpstreamRefused(
        f"the agent answered HTTP {reply.status}",
        upstream_status=reply.status,
        retryable=reply.status == 429 or reply.status >= 500,
        retry_after=min(float(after), _LONGEST_WAIT) if after.isascii() and after.isdigit() else None,
    )


def _headers(reply: Reply, call: Call) -> list[tuple[bytes, bytes]]:
    """What of the agent's headers is for the client: which of the extensions it asked for are active."""
    given = reply.header("a2a-extensions")
    active = allowed_extensions([given], frozenset(call.extensions)) if given is not None else ()
    found = [(b"cache-control", b"no-store")]
    return [*found, (b"a2a-extensions", ", ".join(active).encode("latin-1"))] if active else found


def _is_stream(reply: Reply) -> bool:
    return (reply.header("content-type") or "").lower().startswith("text/event-stream")


def _is_json(reply: Reply) -> bool:
    kind = (reply.header("content-type") or "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")
