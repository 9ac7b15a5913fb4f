"""One attempt at one target: the call goes out, and it is certain that an answer comes back. Which target,
and what when it fails, is `forward.py`'s business.
"""

import asyncio
import math
from collections.abc import Callable

from llm_gateway.answer import Answer, Stream
from llm_gateway.bill import Bill
from llm_gateway.call import Call
from llm_gateway.catalog import Target
from llm_gateway.dispatch import dispatch
from llm_gateway.formats.wires import WIRES
from llm_gateway.incoming import Whole, incoming, whole
from llm_gateway.providers.agent import WIRE as AGENT
from llm_gateway.quirks import fitted
from llm_gateway.route import Aiming, aim
from llm_gateway.router.declined import Declined
from llm_gateway.router.look import Look
from llm_gateway.router.overflow import named
from shared.asgi import Headers
from shared.errors import BadRequest, Refusal, UpstreamBroken, UpstreamFault, UpstreamRefused, UpstreamTimeout
from shared.http_client import HttpClient, Reply
from shared.ledger.entry import Usage

_ERROR_BODY_BYTES = 65_536
_DROPPED_MAX = 16


class Attempt:
    """`passed` are those of the caller's headers that go on. `keep`: the whole reply is wanted at the end.
    An answer must have begun by `until`, on the loop's clock; with `content` one that is a refusal is raised
    as Declined. `handed_back` is what an agent is asked with; copies of a call have none.

    `model` is what the last answer called its model, where the target's configuration wants to know.
    """

    def __init__(
        self,
        http: HttpClient,
        flight: Aiming,
        call: Call,
        bill: Bill,
        passed: Headers,
        *,
        max_reply_bytes: int,
        keep: bool,
        until: float = math.inf,
        content: bool = False,
        handed_back: Callable[[], str] | None = None,
    ) -> None:
        self.model = ""
        self._http = http
        self._flight = flight
        self._call = call
        self._bill = bill
        self._passed = passed
        self._cap = max_reply_bytes
        self._keep = keep
        self._until = until
        self._content = content
        self._handed_back = handed_back

    async def __call__(self, target: Target) -> Answer:
        """Raises UpstreamFault, Declined; BadRequest where the target cannot be asked this."""
        self.model = ""
        aim(target, self._flight)
        self._flight.entry.attempts += 1
        call, provider, section = self._call, target.provider, target.provider.section
        wire = target.wire_for(call.spoken.name)
        await call.recall(wire)
        outbound = call.outbound(wire, target.model, count=section.counts_streams is not False)
        outbound = fitted(section.quirks, wire, outbound, self._passed)
        self._refuse_loss(target, outbound.dropped)
        address = provider.address(wire, target.model, stream=call.ask.stream)
        now = asyncio.get_running_loop().time()
        patience = min(section.first_byte_timeout_seconds, max(self._until - now, 0.0))
        self._bill.open(target)
        try:
            reply = await dispatch(self._http, target, address, outbound, self._sent(wire), patience=patience)
            try:
                content = await self._begin(target, wire, reply, now + patience)
            except Declined as declined:
                declined.dropped = outbound.dropped
                raise
            except BaseException:
                await reply.close()
                raise
        except (UpstreamFault, Declined):
            self._bill.void()
            raise
        except Refusal:
            if wire == AGENT:
                # It was refused behind us, not here by a guard that has seen an answer.
                self._bill.void()
            raise
        return Answer(target, reply, content, outbound.dropped)

    async def settle(self, declined: Declined) -> Answer:
        """The refusal as an answer after all: nobody else has one."""
        target, wire = declined.target, declined.wire
        aim(target, self._flight)
        self._bill.open(target)
        content: Whole | Stream
        if declined.chunks is None:
            content = await self._whole(wire, declined.held[0])
        else:
            arriving = incoming(self._call, wire, keep=self._keep)
            self._bill.streaming(arriving)
            content = Stream(arriving, b"", declined.again())
        return Answer(target, declined.reply, content, declined.dropped)

    def _sent(self, wire: str) -> Headers:
        """What goes along beside the provider's own headers. Raises UpstreamRefused."""
        if wire != AGENT:
            return _own(self._passed, wire)
        if self._handed_back is None:
            raise UpstreamRefused(
                "an agent is not asked twice for one call", upstream_status=502, retryable=False
            )
        return [(b"authorization", self._handed_back().encode("ascii"))]

    def _refuse_loss(self, target: Target, dropped: tuple[str, ...]) -> None:
        if dropped and target.refuses_loss:
            names = ", ".join(dropped[:_DROPPED_MAX])
            raise BadRequest(
                f"the model cannot do what these ask for: {names}; leave them out, or ask another model",
                data={"param": dropped[0]},
            )

    async def _begin(self, target: Target, wire: str, reply: Reply, deadline: float) -> Whole | Stream:
        """The answer once it is certain that it is one. Raises UpstreamFault."""
        call = self._call
        if not 200 <= reply.status < 300:
            refused = target.provider.refusal(reply, await _error_body(reply))
            if wire != call.spoken.name:
                named(refused)
                refused.body = b""
            raise refused
        look = self._look(target, wire)
        if call.ask.stream:
            return await self._first_events(target, wire, reply, deadline, look)
        body = await reply.read(self._cap)
        if look is not None:
            look.whole(body)
            self.model = look.model
            if look.declined:
                raise Declined(target, wire, reply, [body], None, look.usage)
        return await self._whole(wire, body)

    async def _whole(self, wire: str, body: bytes) -> Whole:
        def counted(usage: Usage | None) -> None:
            self._bill.whole(usage, len(body))

        return await whole(self._call, wire, body, counted, keep=self._keep)

    def _look(self, target: Target, wire: str) -> Look | None:
        """None for nearly all targets: what they answer need not be looked at."""
        if not (self._content or target.expect_model):
            return None
        return Look(wire, stream=self._call.ask.stream, content=self._content)

    async def _first_events(
        self, target: Target, wire: str, reply: Reply, deadline: float, look: Look | None
    ) -> Stream:
        if not (reply.header("content-type") or "").startswith(
            WIRES[wire].stream_type if wire in WIRES else "text/event-stream"
        ):
            raise UpstreamBroken("the provider answered a request for a stream with something else")
        arriving, chunks = incoming(self._call, wire, keep=self._keep), reply.chunks()
        self._bill.streaming(arriving)
        first = b""
        try:
            async with asyncio.timeout_at(deadline):
                if look is not None:
                    held = Declined(target, wire, reply, [], chunks, None)
                    await look.stream(held)
                    self.model, chunks = look.model, held.again()
                while not (_says_something(first) or arriving.done or arriving.fault):
                    # Comments that have come before are forgotten: they may be many.
                    chunk = await anext(chunks, None)
                    first = await arriving.feed(chunk) if chunk is not None else await arriving.end()
        except TimeoutError as error:
            raise UpstreamTimeout("the provider sent nothing of its stream in time", cause=error) from error
        if arriving.fault is not None:
            if isinstance(arriving.fault, UpstreamRefused):
                # Nobody has seen a byte: another target may be asked, and these words are no answer's.
                named(arriving.fault)
                arriving.fault.body = b""
            raise arriving.fault
        return Stream(arriving, first, chunks)


def _says_something(first: bytes) -> bool:
    """Whether more than comments have come: providers send those while they have not begun yet."""
    if first[:1] not in (b"", b":", b"\n"):
        return True
    return any(line.strip() and not line.startswith(b":") for line in first.splitlines())


def _own(passed: Headers, wire: str) -> Headers:
    """Those that mean something to a provider that speaks `wire`."""
    mark = b"anthropic-" if wire == "anthropic" else b"openai-"
    return [header for header in passed if header[0].startswith(mark)] if passed else passed


async def _error_body(reply: Reply) -> bytes:
    """What an error says of itself. That it is one is known already: a body that cannot be read changes
    nothing about it.
    """
    try:
        return await reply.read(_ERROR_BODY_BYTES)
    except UpstreamFault:
        return b""
