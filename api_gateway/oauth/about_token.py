"""What introspection and revocation have in common: who asks, whether they may, and about which token."""

from typing import Any, Protocol

import msgspec

from api_gateway.oauth.bearers import Bearers
from api_gateway.oauth.form import headers, read_token
from api_gateway.oauth.frame import OAuthFrame
from shared.account import Flight
from shared.asgi import Exchange, Receive, Scope, Send
from shared.identity.principal import Caller


class Question(Protocol):
    """`action` is what policy is asked for on `route:oauth`."""

    @property
    def action(self) -> str: ...

    async def answer(self, token: str, asker: Caller, flight: Flight) -> dict[str, Any]: ...


class AboutToken:
    """The endpoint of one question."""

    def __init__(self, question: Question, frame: OAuthFrame, bearers: Bearers) -> None:
        self._question = question
        self._frame = frame
        self._bearers = bearers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange, frame, question = Exchange(scope, receive, send), self._frame, self._question
        async with frame.posted(exchange, question.action) as (flight, body):
            form = read_token(exchange, body)
            asker = await self._bearers.client(form.presented, exchange)
            flight.identify(asker)
            grant = frame.authorize(asker, question.action)
            flight.granted(grant)
            await frame.charge(flight, grant)
            told = await question.answer(form.token, asker, flight)
            await exchange.reply(200, headers(), msgspec.json.encode(told))
