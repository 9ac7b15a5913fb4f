"""Stage: a request must be what the service's own API description asks for, before the service sees it."""

from api_gateway.balance.upstream import Upstream
from api_gateway.forward import path_of
from shared.asgi import Exchange


async def validate(exchange: Exchange, upstream: Upstream) -> None:
    """Raises BadRequest, NotFound, MethodNotAllowed, TooLarge: where and what."""
    if upstream.contract is not None:
        await upstream.contract.check(exchange, path_of(exchange, upstream).partition("?")[0])
