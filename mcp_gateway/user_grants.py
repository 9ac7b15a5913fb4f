"""`/oauth/grants`: a user's own view of what they have allowed here: what there is, a link for more, and the
way to take it back.
"""

import msgspec
from starlette.routing import Route

from mcp_gateway.authorize import Authorize
from mcp_gateway.credentials.consents import Consents
from mcp_gateway.credentials.user_oauth import UserOAuth
from mcp_gateway.sessions import owner_of
from mcp_gateway.surfaces import Surface
from shared.account import Account
from shared.asgi import Exchange, Receive, Scope, Send
from shared.authenticators import Authenticate
from shared.dialects.plain import Plain
from shared.errors import Forbidden, MethodNotAllowed, NotFound
from shared.identity.principal import Caller

PATH = "/oauth/grants"
_JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


class UserGrantPages:
    """Servers that the caller may not use do not exist here either."""

    def __init__(
        self, account: Account, authenticate: Authenticate, authorize: Authorize, consents: Consents
    ) -> None:
        self._account = account
        self._authenticate = authenticate
        self._authorize = authorize
        self._consents = consents

    def routes(self) -> list[Route]:
        return [Route(PATH, endpoint=self), Route(PATH + "/{server}", endpoint=self)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, Plain()) as flight:
            caller = await self._authenticate(exchange)
            flight.identify(caller)
            server = exchange.path_params.get("server", "")
            flight.entry.resource, flight.entry.action = f"tool:{server or '*'}/*", exchange.method.lower()
            if server:
                await self._one(exchange, caller, server)
            elif exchange.method == "GET":
                await exchange.reply(200, _JSON, msgspec.json.encode(await self._all(caller)))
            else:
                raise MethodNotAllowed(f"{PATH} takes GET; {PATH}/<server> takes POST and DELETE")

    async def _all(self, caller: Caller) -> list[dict[str, object]]:
        return [
            await self._told(caller, credential)
            for server, credential in self._consents.places.items()
            if await self._authorize.sees(server, caller, Surface(server))
        ]

    async def _told(self, caller: Caller, credential: UserOAuth) -> dict[str, object]:
        held = await credential.grants.find(credential.place.name, owner_of(caller))
        told: dict[str, object] = {"server": credential.place.name, "connected": held is not None}
        if held is not None:
            grant = held.grant
            told |= {"scopes": grant.scopes, "issuer": grant.issuer, "granted_at": int(grant.granted_at)}
        return told

    async def _one(self, exchange: Exchange, caller: Caller, server: str) -> None:
        credential = self._consents.places.get(server)
        if credential is None or not await self._authorize.sees(server, caller, Surface(server)):
            raise NotFound(f"no server {server[:64]!r} that you could connect to")
        if caller.depth:
            raise Forbidden("an agent cannot do this for somebody: use a key of your own")
        if exchange.method == "POST":
            url = await self._consents.link(server, owner_of(caller), ())
            body = {"url": url, "expires_in": 60 * self._consents.minutes}
            await exchange.reply(200, _JSON, msgspec.json.encode(body))
        elif exchange.method == "DELETE":
            if not await credential.revoke(owner_of(caller)):
                raise NotFound(f"you are not connected to {server}")
            await exchange.reply(204, [])
        else:
            raise MethodNotAllowed(f"{PATH}/<server> takes POST and DELETE")
