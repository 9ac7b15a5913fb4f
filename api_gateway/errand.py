"""A request that may go to the service its route leads to, with what the stages before know of it."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from api_gateway.answer import Through
from api_gateway.balance.upstream import Upstream
from shared.account import Flight
from shared.asgi import Exchange
from shared.identity.principal import Caller


class Errand(Struct, frozen=True):
    """`through` is what a stage before does with the service's answer."""

    exchange: Exchange
    flight: Flight
    caller: Caller
    upstream: Upstream
    through: Through | None = None


# Answers a request. Raises what keeps it from being answered.
Forward = Callable[[Errand], Awaitable[None]]
