"""A request's body on its way to a service: in one piece where it is small, otherwise as it arrives."""

from collections.abc import AsyncIterator

from shared.asgi import Exchange
from shared.errors import BadRequest, ClientGone, Refusal

# Bodies up to here are read before they are sent on: one write, not several, and errors know their id.
_SMALL_BODY = 65_536


class Upload:
    """A body that is sent on while it arrives. `failure` is what ended it on the client's side: the HTTP
    client could only tell that the connection it was writing to is of no more use. Once it has `begun` it
    cannot be sent again.
    """

    def __init__(self, exchange: Exchange, cap: int) -> None:
        self.failure: Exception | None = None
        self.begun = False
        self._exchange = exchange
        self._cap = cap

    async def chunks(self) -> AsyncIterator[bytes]:
        self.begun = True
        try:
            async for chunk in self._exchange.chunks(self._cap):
                yield chunk
        except (Refusal, ClientGone) as error:
            self.failure = error
            raise


async def body_of(exchange: Exchange, cap: int) -> bytes | Upload:
    """Raises TooLarge past `cap` bytes, BadRequest."""
    if not exchange.expects_body:
        return b""
    exchange.refuse_announced(cap)
    refuse_two_ends(exchange)
    announced = exchange.header("content-length")
    if announced is not None and announced.isdigit() and int(announced) <= _SMALL_BODY:
        return await exchange.body(cap)
    return Upload(exchange, cap)


def refuse_two_ends(exchange: Exchange) -> None:
    """Raises BadRequest where two readers would not agree on where the body ends."""
    if exchange.header("content-length") is not None and exchange.header("transfer-encoding") is not None:
        # The length is wrong then (RFC 9112 section 6.3), and the next reader would believe it. What
        # follows on this connection may be a part of the body.
        exchange.stamps.append((b"connection", b"close"))
        raise BadRequest("this request has both content-length and transfer-encoding: send one of them")
