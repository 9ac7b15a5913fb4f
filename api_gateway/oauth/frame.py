"""What the endpoints below `/oauth` have in common: a form is POSTed, every call is an entry, and policy and
limits speak of all of them as `route:oauth`.
"""

import contextlib
from collections.abc import AsyncIterator

from msgspec import Struct

from api_gateway.guard import strip_identity
from api_gateway.limit import limit
from api_gateway.oauth.form import OAuthErrors
from api_gateway.pipeline import unscoped
from shared.account import Account, Flight
from shared.approvals import refuse_asking
from shared.asgi import Exchange
from shared.errors import MethodNotAllowed
from shared.identity.principal import Caller
from shared.limits.limiter import Limiter
from shared.limits.rule import LimitRule
from shared.policy import Grant, PolicyBox, authorize

_RESOURCE, _ROUTE = "route:oauth", "oauth"
_BODY_CAP = 65_536


class OAuthFrame(Struct, frozen=True, kw_only=True):
    """The same for every endpoint."""

    account: Account
    policy: PolicyBox
    limiter: Limiter
    rules: list[LimitRule]

    @contextlib.asynccontextmanager
    async def posted(self, exchange: Exchange, action: str) -> AsyncIterator[tuple[Flight, bytes]]:
        """Around one call: its entry, and the body that was sent. Raises MethodNotAllowed, TooLarge."""
        strip_identity(exchange)
        async with self.account(exchange, OAuthErrors()) as flight:
            flight.entry.resource, flight.entry.action = _RESOURCE, action
            if exchange.method != "POST":
                raise MethodNotAllowed("this endpoint takes POST")
            yield flight, await exchange.body(_BODY_CAP)

    def authorize(self, caller: Caller, action: str) -> Grant:
        """Raises Forbidden, and Unapproved where a person would have to consent."""
        return self.unasked(unscoped(caller), _RESOURCE, action)

    def unasked(self, caller: Caller, resource: str, action: str) -> Grant:
        """The same for another resource, with the caller's scope."""
        grant = authorize(self.policy.current, caller, resource, action)
        refuse_asking(grant)
        return grant

    async def charge(self, flight: Flight, grant: Grant) -> None:
        """Raises LimitExceeded."""
        flight.lease = await limit(grant, self.rules, self.limiter, _ROUTE)
