"""The only stage that loops: targets are tried in their order until one begins to answer, then the answer
goes out.
"""

from collections.abc import Sequence

from llm_gateway.catalog import Target
from llm_gateway.endpoints.attempt import Attempt
from llm_gateway.endpoints.endpoint import Endpoint, Inquiry
from llm_gateway.endpoints.relay import relay
from llm_gateway.endpoints.tab import Tab
from llm_gateway.endpoints.upstream import Upstream
from shared.account import Flight
from shared.asgi import Exchange
from shared.attempts import Breaker, first_success
from shared.clock import Clock
from shared.errors import BadRequest

_PASSED = frozenset((b"openai-beta",))


class Forward:
    """`breaker` is apart from that of chat calls: a target may be good at one of them only."""

    def __init__(self, upstream: Upstream, breaker: Breaker, clock: Clock, *, max_reply_bytes: int) -> None:
        self._upstream = upstream
        self._breaker = breaker
        self._clock = clock
        self._cap = max_reply_bytes

    async def __call__(
        self,
        exchange: Exchange,
        flight: Flight,
        endpoint: Endpoint,
        inquiry: Inquiry,
        targets: Sequence[Target],
    ) -> None:
        """Sends the call on and its answer back. Raises the last target's UpstreamFault when none answers."""
        able = [target for target in targets if endpoint.answers(target.provider)]
        if not able:
            raise BadRequest(
                f"the model {inquiry.model!r} cannot be asked at {exchange.path}: nobody behind it has that",
                data={"param": "model"},
            )
        tab = Tab(flight.entry, inquiry, self._clock)
        passed = [header for header in exchange.headers if header[0] in _PASSED]
        attempt = Attempt(self._upstream, flight, endpoint, inquiry, tab, passed, max_reply_bytes=self._cap)

        def name(target: Target) -> str:
            return f"{target.name} {endpoint.name}"

        try:
            answer = await first_success(able, attempt, breaker=self._breaker, name=name)
            async with answer.reply:
                await relay(exchange, flight, answer, tab)
        finally:
            tab.write()
