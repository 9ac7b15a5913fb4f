"""The only stage that loops: targets are tried in their order until one begins to answer, then the answer
goes out.
"""

import asyncio
from collections.abc import Sequence

from llm_gateway.answer import Answer, Stream
from llm_gateway.bill import Bill
from llm_gateway.catalog import Target
from llm_gateway.chat import Ask
from llm_gateway.formats import Format
from llm_gateway.guard import Guard
from llm_gateway.relay import relay
from llm_gateway.route import aim
from shared.account import Flight
from shared.asgi import Exchange, Headers
from shared.attempts import Breaker, first_success
from shared.clock import Clock
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused, UpstreamTimeout
from shared.http_client import HttpClient, Reply

# What of the caller's headers a provider sees. No `idempotency-key`: all callers share our account there, and
# one could collect another's answer.
_PASSED = frozenset((b"openai-beta",))
_ERROR_BODY_BYTES = 65_536


class Forward:
    def __init__(
        self,
        http: HttpClient,
        breaker: Breaker,
        clock: Clock,
        guards: Sequence[Guard],
        *,
        max_reply_bytes: int,
    ) -> None:
        self._http = http
        self._breaker = breaker
        self._clock = clock
        self._guards = guards
        self._cap = max_reply_bytes

    async def __call__(
        self, exchange: Exchange, flight: Flight, spoken: Format, ask: Ask, targets: Sequence[Target]
    ) -> None:
        """Sends the call on and its answer back. Raises the last target's UpstreamFault when none answers."""
        bill = Bill(flight.entry, ask, self._clock)
        passed = [header for header in exchange.headers if header[0] in _PASSED]

        async def attempt(target: Target) -> Answer:
            return await self._attempt(flight, spoken, ask, target, bill, passed)

        try:
            answer = await first_success(targets, attempt, breaker=self._breaker, name=_name)
            async with answer.reply:
                await relay(exchange, flight, answer, bill, self._guards)
        finally:
            bill.write()

    async def _attempt(
        self, flight: Flight, spoken: Format, ask: Ask, target: Target, bill: Bill, passed: Headers
    ) -> Answer:
        aim(target, flight)
        flight.entry.attempts += 1
        bill.open(target)
        provider, section = target.provider, target.provider.section
        deadline = asyncio.get_running_loop().time() + section.first_byte_timeout_seconds
        try:
            reply = await self._http.send(
                "POST",
                provider.address(target.model),
                headers=provider.headers(passed),
                body=spoken.body_for(ask, target.model, count=section.counts_streams),
                connect_timeout=section.connect_timeout_seconds,
                header_timeout=section.first_byte_timeout_seconds,
                idle_timeout=section.idle_timeout_seconds,
            )
            try:
                return await self._begin(spoken, ask, target, reply, bill, deadline)
            except BaseException:
                await reply.close()
                raise
        except UpstreamFault:
            bill.void()
            raise

    async def _begin(
        self, spoken: Format, ask: Ask, target: Target, reply: Reply, bill: Bill, deadline: float
    ) -> Answer:
        """The answer once it is certain that it is one. Raises UpstreamFault."""
        if not 200 <= reply.status < 300:
            raise target.provider.refusal(reply, await _error_body(reply))
        if ask.stream:
            return await _first_events(spoken, ask, target, reply, bill, deadline)
        body = await reply.read(self._cap)
        bill.whole(spoken.usage_of(body), len(body))
        return Answer(target, reply, body)


async def _first_events(
    spoken: Format, ask: Ask, target: Target, reply: Reply, bill: Bill, deadline: float
) -> Answer:
    if not (reply.header("content-type") or "").startswith("text/event-stream"):
        raise UpstreamBroken("the provider answered a request for a stream with something else")
    reader, chunks = spoken.reader(ask), reply.chunks()
    bill.streaming(reader)
    first = b""
    try:
        async with asyncio.timeout_at(deadline):
            while not (first or reader.done or reader.fault):
                chunk = await anext(chunks, None)
                first = reader.feed(chunk) if chunk is not None else reader.end()
    except TimeoutError as error:
        raise UpstreamTimeout("the provider sent nothing of its stream in time", cause=error) from error
    if reader.fault is not None:
        if isinstance(reader.fault, UpstreamRefused):
            # Nobody has seen a byte: another target may be asked, and these words are none of an answer's.
            reader.fault.body = b""
        raise reader.fault
    return Answer(target, reply, first, Stream(reader, chunks))


async def _error_body(reply: Reply) -> bytes:
    """What an error says of itself. That it is one is known already: a body that cannot be read changes
    nothing about it.
    """
    try:
        return await reply.read(_ERROR_BODY_BYTES)
    except UpstreamFault:
        return b""


def _name(target: Target) -> str:
    return target.name
