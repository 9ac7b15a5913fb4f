"""One request to an agent and its reply. What it means, and for whom, is asked elsewhere."""

from agent_gateway.bindings import Answer
from agent_gateway.bindings.wires import WIRES
from agent_gateway.bridges.serve import Bridges
from agent_gateway.call import Call
from agent_gateway.route import Target
from shared.account import Flight
from shared.clock import Clock
from shared.errors import UpstreamBroken, UpstreamRefused
from shared.http_client import HttpClient, Reply

_LONGEST_WAIT = 3600.0


class Upstream:
    """`reply_cap` is how long a whole answer may be. `bridges` answer in the place of some agents."""

    def __init__(self, http: HttpClient, clock: Clock, bridges: Bridges, *, reply_cap: int) -> None:
        self._bridges = bridges
        self._http = http
        self._clock = clock
        self._reply_cap = reply_cap

    async def open(self, target: Target, flight: Flight) -> Reply:
        """Sends `target`; its answer is still to be read. Raises UpstreamFault."""
        timeouts = target.agent.timeouts
        flight.entry.attempts += 1
        if target.agent.bridge is not None:
            return await self._bridges.open(target, flight)
        began = self._clock.monotonic()
        reply = await self._http.send(
            target.method,
            target.url,
            headers=target.headers,
            body=target.body,
            connect_timeout=timeouts.connect_seconds,
            header_timeout=timeouts.header_seconds,
            idle_timeout=timeouts.idle_seconds,
            pinned=target.pinned,
        )
        flight.entry.upstream_us = int((self._clock.monotonic() - began) * 1_000_000)
        # An error status may still carry an answer of A2A's; only where it cannot is it a refusal.
        if reply.status not in (200, 204) and (reply.status in (401, 403, 429) or not _is_json(reply)):
            await reply.close()
            raise refusal(reply)
        return reply

    async def whole(self, call: Call, target: Target, reply: Reply) -> Answer:
        """The rest of a reply that is no stream. Raises UpstreamFault."""
        body = await reply.read(self._reply_cap)
        try:
            return WIRES[target.wire].answer(call, body, reply.status)
        except UpstreamBroken as error:
            if reply.status != 200:
                raise refusal(reply) from error
            raise

    async def ask(self, call: Call, target: Target, flight: Flight) -> Answer:
        """`call` as `target` has it, and its whole answer. Raises UpstreamFault."""
        async with await self.open(target, flight) as reply:
            if is_stream(reply):
                raise UpstreamBroken(f"the agent answered {call.method.name} with a stream")
            return await self.whole(call, target, reply)


def refusal(reply: Reply) -> UpstreamRefused:
    after = reply.header("retry-after") or ""
    return UpstreamRefused(
        f"the agent answered HTTP {reply.status}",
        upstream_status=reply.status,
        retryable=reply.status == 429 or reply.status >= 500,
        retry_after=min(float(after), _LONGEST_WAIT) if after.isascii() and after.isdigit() else None,
    )


def is_stream(reply: Reply) -> bool:
    return (reply.header("content-type") or "").lower().startswith("text/event-stream")


def _is_json(reply: Reply) -> bool:
    kind = (reply.header("content-type") or "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")
