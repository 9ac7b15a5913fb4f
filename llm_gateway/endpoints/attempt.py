"""One attempt at one target: the call goes out, and it is certain that an answer comes back."""

import asyncio
import math
from collections.abc import AsyncIterator

from msgspec import Struct

from llm_gateway.catalog import Target
from llm_gateway.endpoints.endpoint import Endpoint, Inquiry, Outbound, Shape, Whole
from llm_gateway.endpoints.tab import Tab
from llm_gateway.endpoints.upstream import Upstream, address_of, refusal
from llm_gateway.formats import StreamReader
from llm_gateway.route import Aiming, aim
from shared.asgi import Headers
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused, UpstreamTimeout
from shared.http_client import Reply


class Events(Struct, frozen=True):
    """`first` may go out at once, `chunks` are still to come."""

    reader: StreamReader
    first: bytes
    chunks: AsyncIterator[bytes]


class Bytes(Struct, frozen=True):
    first: bytes
    chunks: AsyncIterator[bytes]


class Answer(Struct, frozen=True):
    target: Target
    reply: Reply
    content: Whole | Events | Bytes

    @property
    def content_type(self) -> bytes:
        return (self.reply.header("content-type") or "application/json").encode("latin-1")


class Attempt:
    """An answer must have begun by `until`, on the loop's clock."""

    # What it calls itself is asked of chats only.
    model = ""

    def __init__(
        self,
        upstream: Upstream,
        flight: Aiming,
        endpoint: Endpoint,
        inquiry: Inquiry,
        tab: Tab,
        passed: Headers,
        *,
        max_reply_bytes: int,
        until: float = math.inf,
    ) -> None:
        self._until = until
        self._upstream = upstream
        self._flight = flight
        self._endpoint = endpoint
        self._inquiry = inquiry
        self._tab = tab
        self._passed = passed
        self._cap = max_reply_bytes

    async def __call__(self, target: Target) -> Answer:
        """Raises UpstreamFault; BadRequest where the target cannot be asked this."""
        aim(target, self._flight)
        self._flight.entry.attempts += 1
        provider = target.provider
        outbound = self._endpoint.outbound(self._inquiry, target)
        body = outbound.body[0] if len(outbound.body) == 1 else outbound.body
        now = asyncio.get_running_loop().time()
        patience = min(provider.section.first_byte_timeout_seconds, max(self._until - now, 0.0))
        self._tab.open(target)
        try:
            reply = await self._upstream.send(
                provider,
                "POST",
                outbound.address
                or address_of(provider, self._endpoint.name, outbound.path, model=target.model),
                body=body,
                content_type=outbound.content_type,
                passed=self._passed,
                patience=patience,
            )
            try:
                content = await self._begin(target, reply, outbound, now + patience)
                return Answer(target, reply, content)
            except BaseException:
                await reply.close()
                raise
        except UpstreamFault:
            self._tab.void()
            raise

    async def _begin(
        self, target: Target, reply: Reply, outbound: Outbound, deadline: float
    ) -> Whole | Events | Bytes:
        """The answer once it is certain that it is one. Raises UpstreamFault."""
        if not 200 <= reply.status < 300:
            refused = await refusal(target.provider, reply)
            if outbound.foreign:
                # The caller's dialect says it in its own words.
                refused.body = b""
            raise refused
        content_type = (reply.header("content-type") or "").lower()
        shape = self._endpoint.shape(self._inquiry, content_type)
        if shape is Shape.WHOLE:
            body = await reply.read(self._cap)
            whole = self._endpoint.whole(self._inquiry, target, body, content_type)
            self._tab.count(whole.usage)
            return whole
        try:
            async with asyncio.timeout_at(deadline):
                return await (self._events(reply) if shape is Shape.EVENTS else _bytes(reply))
        except TimeoutError as error:
            raise UpstreamTimeout("the provider sent nothing of its answer in time", cause=error) from error

    async def _events(self, reply: Reply) -> Events:
        reader, chunks = self._endpoint.reader(self._inquiry), reply.chunks()
        self._tab.read_along(reader)
        first = b""
        while not (first or reader.done or reader.fault):
            chunk = await anext(chunks, None)
            first = reader.feed(chunk) if chunk is not None else reader.end()
        if reader.fault is not None:
            if isinstance(reader.fault, UpstreamRefused):
                # Nobody has seen a byte: another target may be asked, and these words are no answer's.
                reader.fault.body = b""
            raise reader.fault
        return Events(reader, first, chunks)


async def _bytes(reply: Reply) -> Bytes:
    chunks = reply.chunks()
    first = await anext(chunks, b"")
    if not first:
        raise UpstreamBroken("the provider's answer is empty")
    return Bytes(first, chunks)
