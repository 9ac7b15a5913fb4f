"""The only stage that loops: targets are tried in their order until one begins to answer, then the answer
goes out.
"""

import asyncio
import math
import random
from collections.abc import Sequence

from llm_gateway.answer import Answer
from llm_gateway.attempt import Attempt
from llm_gateway.bill import Bill
from llm_gateway.call import Call
from llm_gateway.relay import Keep, relay
from llm_gateway.router.mirror import Mirrors
from llm_gateway.router.mirrored import ChatCopy
from llm_gateway.router.plan import Plan
from llm_gateway.router.ranking import Draw
from llm_gateway.router.retry import RetryBudget
from llm_gateway.router.search import Search
from llm_gateway.router.shadow import Shadow
from llm_gateway.router.state import State, size_class
from llm_gateway.router.tries import Once, Tries
from shared.account import Flight
from shared.asgi import Exchange, Headers
from shared.clock import Clock
from shared.errors import Fault, UpstreamFault
from shared.http_client import HttpClient
from shared.identity.hand_back import HandBack

# What of the caller's headers a provider sees. No `idempotency-key`: all callers share our account there, and
# one could collect another's answer.
_PASSED = frozenset((b"openai-beta", b"anthropic-beta", b"anthropic-version"))


class Forward:
    """`mirrors` is None where no model has any, `hand_back` where no agent answers."""

    def __init__(
        self,
        http: HttpClient,
        state: State,
        budget: RetryBudget,
        clock: Clock,
        *,
        max_reply_bytes: int,
        mirrors: Mirrors | None = None,
        hand_back: HandBack | None = None,
        draw: Draw = random.random,
    ) -> None:
        self._http = http
        self._state = state
        self._budget = budget
        self._clock = clock
        self._cap = max_reply_bytes
        self._mirrors = mirrors
        self._hand_back = hand_back
        self._draw = draw

    async def __call__(
        self, exchange: Exchange, flight: Flight, call: Call, plan: Plan, keepers: Sequence[Keep]
    ) -> None:
        """Sends the call on and its answer back. Raises the last target's UpstreamFault when none answers."""
        bill = Bill(flight.entry, call.ask, self._clock)
        passed = [header for header in exchange.headers if header[0] in _PASSED]
        if self._mirrors is not None:
            self._mirrors.start(
                plan.routes, self._state, flight, lambda shadow: self._copied(shadow, call, passed)
            )
        tries = self._tries(flight, call, plan, bill, passed, keep=bool(keepers))
        try:
            answer = await tries.answer()
            async with answer.reply:
                await relay(exchange, flight, answer, bill, keepers)
        except UpstreamFault as error:
            tries.broke(error)
            raise
        finally:
            tries.ended()
            bill.write()

    def _copied(self, shadow: Shadow, call: Call, passed: Headers) -> ChatCopy:
        return ChatCopy(self._http, shadow, call, passed, self._clock, max_reply_bytes=self._cap)

    def _tries(
        self, flight: Flight, call: Call, plan: Plan, bill: Bill, passed: Headers, *, keep: bool
    ) -> Once[Answer]:
        size = size_class(call.ask)
        if plan.only is not None:
            attempt = self._attempt(flight, call, bill, passed, keep=keep)
            return Once(plan.targets[0], plan.only, attempt, flight, size)
        search = Search(plan, asyncio.get_running_loop().time, self._budget, self._draw)
        content = bool(plan.routes.section.fallbacks.content)
        attempt = self._attempt(flight, call, bill, passed, keep=keep, until=search.until, content=content)
        return Tries(self._state, search, attempt, flight, size)

    def _attempt(
        self,
        flight: Flight,
        call: Call,
        bill: Bill,
        passed: Headers,
        *,
        keep: bool,
        until: float = math.inf,
        content: bool = False,
    ) -> Attempt:
        return Attempt(
            self._http,
            flight,
            call,
            bill,
            passed,
            max_reply_bytes=self._cap,
            keep=keep,
            until=until,
            content=content,
            handed_back=lambda: self._bearer(flight),
        )

    def _bearer(self, flight: Flight) -> str:
        """What the edge is asked with on the caller's behalf. Raises Fault where nobody signs here."""
        caller = flight.entry.caller
        if self._hand_back is None or caller is None:
            raise Fault("an agent cannot be asked from here: there is nothing to sign for its caller with")
        return self._hand_back.bearer(caller, flight.entry.id, flight.trace)
