"""Opens the WebSocket behind a route and carries messages both ways until one side, a limit, a kill or the
clock ends it.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from api_gateway.balance.pool import Pool
from api_gateway.balance.replica import Replica
from api_gateway.balance.upstream import Upstream
from api_gateway.forward import Forwarder, path_of
from api_gateway.validate import validate
from api_gateway.websocket import Closing, WebSocketExchange, WebSocketRule, close_frame
from shared.account import Flight
from shared.egress import Destination
from shared.errors import BadRequest, Forbidden, TooLarge, UpstreamFault, UpstreamTimeout
from shared.identity.principal import Caller
from shared.websocket_client import Closed, UpstreamSocket


class Connector:
    """`forward` knows what goes along with a request."""

    def __init__(self, forward: Forwarder) -> None:
        self._forward = forward

    async def __call__(
        self, exchange: WebSocketExchange, flight: Flight, caller: Caller, upstream: Upstream | None
    ) -> None:
        """Raises BadRequest where the route has no WebSockets, Forbidden for an origin that is not listed,
        UpstreamFault, Unavailable, and what `validate` does.
        """
        if upstream is None or upstream.websocket is None:
            raise BadRequest("no WebSocket is served at this path")
        _check_origin(exchange, upstream.websocket)
        # A handshake is a GET to the service, whether it opens anything or not.
        await validate(exchange, upstream)
        if upstream.gate is None:
            await self._carry(exchange, flight, caller, upstream)
            return
        async with upstream.gate.admit(exchange, caller, flight.elapsed_us() / 1e6):
            await self._carry(exchange, flight, caller, upstream)

    async def _carry(
        self, exchange: WebSocketExchange, flight: Flight, caller: Caller, upstream: Upstream
    ) -> None:
        open_ = partial(self._open, exchange, flight, caller, upstream)
        pool: Pool = upstream.pool_for(exchange, caller)
        if pool.only is not None:
            await _relay(exchange, flight, await open_(pool.only), upstream)
            return
        pool.retries.earn()
        tried: list[Replica] = []
        while not exchange.accepted:
            replica = pool.take(exchange, caller, tried)
            tried.append(replica)
            try:
                socket = await open_(replica.url, replica.pinned)
                pool.succeeded(replica)
                await _relay(exchange, flight, socket, upstream)
            except UpstreamFault as error:
                if exchange.accepted:
                    raise
                pool.blame(replica, error)
                if not (pool.another(tried) and pool.retries.spend(len(tried))):
                    raise
            finally:
                pool.give(replica)

    async def _open(
        self,
        exchange: WebSocketExchange,
        flight: Flight,
        caller: Caller,
        upstream: Upstream,
        address: str,
        pinned: Destination | None = None,
    ) -> UpstreamSocket:
        assert upstream.websocket is not None
        assert upstream.sockets is not None
        headers = self._forward.headers(exchange, flight, caller, upstream, b"")
        flight.sends()
        return await upstream.sockets.connect(
            address + path_of(exchange, upstream),
            headers=[header for header in headers if not _handshakes(header[0])],
            protocols=exchange.offered,
            max_message=upstream.websocket.max_message_bytes,
            timeout=upstream.header_timeout,
            pinned=pinned,
        )


async def _relay(
    exchange: WebSocketExchange, flight: Flight, socket: UpstreamSocket, upstream: Upstream
) -> None:
    rule = upstream.websocket
    assert rule is not None
    async with socket:
        await exchange.accept(socket.protocol)
        flight.dialect = Closing()
        closed = await _until_closed(exchange, socket, rule)
        if closed is None:
            await socket.close()
        else:
            await exchange.finish(close_frame(closed))


async def _until_closed(
    exchange: WebSocketExchange, socket: UpstreamSocket, rule: WebSocketRule
) -> Closed | None:
    """How the upstream has closed it, None where the client has left."""
    loop = asyncio.get_running_loop()
    end = loop.time() + rule.longest_seconds
    try:
        async with asyncio.timeout(min(rule.idle_seconds, rule.longest_seconds)) as patience:

            def heard() -> None:
                patience.reschedule(min(loop.time() + rule.idle_seconds, end))

            inward = asyncio.create_task(_inward(exchange, socket, rule, heard))
            outward = asyncio.create_task(_outward(exchange, socket, heard))
            both: tuple[asyncio.Task[Closed | None], ...] = (inward, outward)
            try:
                done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in both:
                    task.cancel()
                await asyncio.gather(*both, return_exceptions=True)
            return next(iter(done)).result()
    except TimeoutError as error:
        raise UpstreamTimeout("nothing was said for too long, or it was open for too long") from error


async def _inward(
    exchange: WebSocketExchange, socket: UpstreamSocket, rule: WebSocketRule, heard: Callable[[], None]
) -> None:
    while (message := await exchange.receive()) is not None:
        heard()
        if _size(message) > rule.max_message_bytes:
            raise TooLarge(f"a message is larger than the {rule.max_message_bytes} bytes allowed here")
        await socket.send(message)


async def _outward(exchange: WebSocketExchange, socket: UpstreamSocket, heard: Callable[[], None]) -> Closed:
    while not isinstance(message := await socket.receive(), Closed):
        heard()
        await exchange.say(message)
    return message


def _size(message: str | bytes) -> int:
    if isinstance(message, bytes) or message.isascii():
        return len(message)
    return len(message.encode())


def _check_origin(exchange: WebSocketExchange, rule: WebSocketRule) -> None:
    origin = exchange.header("origin")
    if origin is not None and "*" not in rule.origins and origin.lower() not in rule.origins:
        raise Forbidden("pages of this origin may not connect here")


def _handshakes(name: bytes | str) -> bool:
    """Is this a header of the client's own handshake? The one upstream is another."""
    text = name.decode("latin-1") if isinstance(name, bytes) else name
    return text.lower().startswith("sec-websocket-")
