"""Sends an answer to the client, be it a service's or one that was kept, changed as the route says."""

from api_gateway import guard
from api_gateway.answer import Answer
from api_gateway.balance.upstream import Upstream
from api_gateway.reshape import reshaped
from shared.account import Flight
from shared.asgi import Exchange
from shared.dialects import Dialect
from shared.dialects.plain import Plain, PlainEvents
from shared.errors import GatestackError


async def relay(exchange: Exchange, flight: Flight, answer: Answer, upstream: Upstream) -> None:
    """Raises what reading the answer raises, and Unfit where it cannot be changed as the route says."""
    if upstream.reply_body is not None:
        answer = await reshaped(exchange, answer, upstream.reply_body)
    if not _takes_events(answer):
        # Only an event stream can carry an error of ours after its first byte; anything else is cut.
        flight.dialect = _UntilStarted(flight.dialect)
    elif isinstance(flight.dialect, Plain):
        flight.dialect = PlainEvents()
    length = answer.header("content-length")
    left = int(length) if length is not None and length.isdigit() else -1
    headers = guard.outward(answer.headers)
    if upstream.reply_headers is not None:
        headers = upstream.reply_headers.apply(headers)
    await exchange.start(answer.status, headers)
    async for chunk in answer.chunks():
        left -= len(chunk)
        if left == 0:
            await exchange.finish(chunk)
            return
        await exchange.write(chunk)
    await exchange.finish()


def _takes_events(answer: Answer) -> bool:
    """Can an event of ours stand at the end of this body? Not in a compressed one, nor in one of a length."""
    plain = (
        answer.header("content-encoding") in (None, "identity") and answer.header("content-length") is None
    )
    return plain and (answer.header("content-type") or "").startswith("text/event-stream")


class _UntilStarted:
    """The caller's dialect before the first byte, silence after it."""

    def __init__(self, dialect: Dialect) -> None:
        self.refusal = dialect.refusal

    def event(self, error: GatestackError, request_id: str) -> bytes:
        return b""
