"""Stage: a request must be what the service's own API description asks for, before the service sees it."""

from api_gateway.balance.upstream import Upstream
from api_gateway.forward import path_of
from shared.asgi import Exchange


async def validate(exchange: Exchange, upstream: Upstream) -> None:
    """Raises BadRequest, NotFound, MethodNotAllowed, TooLarge: where and what."""
    if upstream.contract is None:
        return
    given = exchange.headers
    if upstream.request_headers is not None:
        # As the service gets them: a header may have another's name by then.
        exchange.headers = upstream.request_headers.apply(given)
    try:
        await upstream.contract.check(exchange, path_of(exchange, upstream).partition("?")[0])
    finally:
        exchange.headers = given
