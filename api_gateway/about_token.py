"""What introspection and revocation have in common: who asks, whether they may, and about which token."""

from typing import Any, Protocol

import msgspec

from api_gateway.bearers import Bearers
from api_gateway.guard import strip_identity
from api_gateway.limit import limit
from api_gateway.oauth_form import OAuthErrors, headers, read_token
from api_gateway.pipeline import unscoped
from shared.account import Account, Flight
from shared.approvals import refuse_asking
from shared.asgi import Exchange, Receive, Scope, Send
from shared.errors import MethodNotAllowed
from shared.identity.principal import Caller
from shared.limits.limiter import Limiter
from shared.limits.rule import LimitRule
from shared.policy import PolicyBox, authorize

_RESOURCE = "route:oauth"
_BODY_CAP = 65_536


class Question(Protocol):
    """`action` is what policy is asked for on `route:oauth`."""

    @property
    def action(self) -> str: ...

    async def answer(self, token: str, asker: Caller, flight: Flight) -> dict[str, Any]: ...


class AboutToken:
    """The endpoint of one question."""

    def __init__(
        self,
        question: Question,
        *,
        account: Account,
        bearers: Bearers,
        policy: PolicyBox,
        limiter: Limiter,
        rules: list[LimitRule],
    ) -> None:
        self._question = question
        self._account = account
        self._bearers = bearers
        self._policy = policy
        self._limiter = limiter
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        strip_identity(exchange)
        async with self._account(exchange, OAuthErrors()) as flight:
            flight.entry.resource, flight.entry.action = _RESOURCE, self._question.action
            if exchange.method != "POST":
                raise MethodNotAllowed("this endpoint takes POST")
            form = read_token(exchange, await exchange.body(_BODY_CAP))
            asker = await self._bearers.client(form.presented, exchange)
            flight.identify(asker)
            grant = authorize(self._policy.current, unscoped(asker), _RESOURCE, self._question.action)
            flight.granted(grant)
            refuse_asking(grant)
            flight.lease = await limit(grant, self._rules, self._limiter, "oauth")
            told = await self._question.answer(form.token, asker, flight)
            await exchange.reply(200, headers(), msgspec.json.encode(told))
