"""Everything that is no model call: the models that the caller may use, one of them, and paths that do not
exist.

Source: https://platform.openai.com/docs/api-reference/models
"""

from typing import Any

import msgspec

from llm_gateway.authorize import LIST, unknown, visible
from llm_gateway.catalog import Catalog
from shared.account import Account, Flight
from shared.asgi import Exchange, Receive, Scope, Send
from shared.authenticators import Authenticate
from shared.dialects import Dialect
from shared.errors import MethodNotAllowed, NotFound
from shared.identity.principal import Caller
from shared.policy import PolicyBox

PATH = "/v1/models"
_JSON = [(b"content-type", b"application/json")]


class Listing:
    def __init__(
        self,
        *,
        account: Account,
        authenticate: Authenticate,
        catalog: Catalog,
        policy: PolicyBox,
        dialect: Dialect,
        created: int,
    ) -> None:
        self._account = account
        self._authenticate = authenticate
        self._catalog = catalog
        self._policy = policy
        self._dialect = dialect
        self._created = created

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, self._dialect) as flight:
            caller = await self._authenticate(exchange)
            flight.identify(caller)
            if exchange.path != PATH and not exchange.path.startswith(PATH + "/"):
                raise NotFound(f"there is nothing at {exchange.path[:200]}")
            if exchange.method != "GET":
                raise MethodNotAllowed(f"{PATH} takes GET only")
            found = (
                self._one(flight, caller, exchange.path)
                if exchange.path != PATH
                else self._all(flight, caller)
            )
            await exchange.reply(200, _JSON, msgspec.json.encode(found))

    def _all(self, flight: Flight, caller: Caller) -> dict[str, Any]:
        policy = self._policy.current
        entry = flight.entry
        entry.resource, entry.action, entry.epoch = "model:*", LIST, policy.epoch
        shown = [name for name, model in self._catalog.items() if visible(policy, caller, model)]
        return {"object": "list", "data": [self._described(name) for name in shown]}

    def _one(self, flight: Flight, caller: Caller, path: str) -> dict[str, Any]:
        policy, entry = self._policy.current, flight.entry
        name = path.removeprefix(PATH + "/")
        model = self._catalog.find(name)
        entry.resource, entry.action, entry.epoch = f"model:{name[:256]}", LIST, policy.epoch
        if model is None or not visible(policy, caller, model):
            entry.decision = "deny"
            raise unknown(name[:256])
        entry.resource, entry.decision = model.resource, "allow"
        return self._described(name)

    def _described(self, name: str) -> dict[str, Any]:
        # Who answers behind a name is the operator's business.
        return {"id": name, "object": "model", "created": self._created, "owned_by": "gatestack"}
