"""The only stage that loops: targets are tried as the model's routing says until one begins to answer, then
the answer goes out.
"""

import asyncio
import random

from llm_gateway.endpoints.attempt import Attempt
from llm_gateway.endpoints.endpoint import Endpoint, Inquiry, Whole
from llm_gateway.endpoints.mirrored import InquiryCopy
from llm_gateway.endpoints.relay import relay
from llm_gateway.endpoints.tab import Tab
from llm_gateway.endpoints.upstream import Upstream
from llm_gateway.router.mirror import Mirrors
from llm_gateway.router.plan import Plan
from llm_gateway.router.retry import RetryBudget
from llm_gateway.router.search import Search
from llm_gateway.router.shadow import Shadow
from llm_gateway.router.state import State, size_class
from llm_gateway.router.tries import Turns
from shared.account import Flight
from shared.asgi import Exchange, Headers
from shared.clock import Clock
from shared.errors import UpstreamFault
from shared.http_client import HttpClient

_PASSED = frozenset((b"openai-beta",))


class Forward:
    """`retries` are counted together with those of chats, `state` is that of one endpoint. `mirrors` is None
    where no model has any.
    """

    def __init__(
        self,
        http: HttpClient,
        state: State,
        retries: RetryBudget,
        clock: Clock,
        *,
        max_reply_bytes: int,
        mirrors: Mirrors | None,
    ) -> None:
        self._upstream = Upstream(http)
        self._state = state
        self._retries = retries
        self._clock = clock
        self._cap = max_reply_bytes
        self._mirrors = mirrors

    async def __call__(
        self, exchange: Exchange, flight: Flight, endpoint: Endpoint, inquiry: Inquiry, plan: Plan
    ) -> bytes:
        """Sends the call on and its answer back; what it was, where it came in one piece. Raises the last
        target's UpstreamFault when none answers.
        """
        tab = Tab(flight.entry, inquiry, self._clock)
        passed = [header for header in exchange.headers if header[0] in _PASSED]
        if self._mirrors is not None:
            self._mirrors.start(
                plan.routes,
                self._state,
                flight,
                lambda shadow: self._copied(shadow, endpoint, inquiry, passed),
            )
        search = Search(plan, asyncio.get_running_loop().time, self._retries, random.random)
        attempt = Attempt(
            self._upstream,
            flight,
            endpoint,
            inquiry,
            tab,
            passed,
            max_reply_bytes=self._cap,
            until=search.until,
        )
        turns = Turns(self._state, search, attempt, flight, size_class(inquiry))
        try:
            answer = await turns.answer()
            async with answer.reply:
                await relay(exchange, flight, answer, tab)
        except UpstreamFault as error:
            turns.broke(error)
            raise
        finally:
            turns.ended()
            tab.write()
        return answer.content.body if isinstance(answer.content, Whole) else b""

    def _copied(self, shadow: Shadow, endpoint: Endpoint, inquiry: Inquiry, passed: Headers) -> InquiryCopy:
        return InquiryCopy(
            self._upstream, shadow, endpoint, inquiry, passed, self._clock, max_reply_bytes=self._cap
        )
