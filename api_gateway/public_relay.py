"""The few addresses of the MCP gateway that a stranger may come to: what clients look up before they have a
credential, and the pages that a browser sees on the way to a consent. Nothing is said inward of who that is.
"""

from starlette.routing import Route

from api_gateway import guard
from api_gateway.balance.replica import Replica
from api_gateway.balance.upstream import Upstream
from api_gateway.routes import refuse_ambiguous
from api_gateway.written_path import written_path
from shared.account import Account
from shared.asgi import Exchange, Receive, Scope, Send
from shared.dialects.mcp import METADATA
from shared.dialects.plain import Plain
from shared.errors import NotFound
from shared.http_client import HttpClient, Reply
from shared.identity.principal import Caller, Principal

_BODY_CAP, _REPLY_CAP = 8192, 65_536
_SECONDS = 30.0
# Of all cookies of a browser this one is for the pages behind it.
_COOKIE = "gatestack-consent"
# Replicas are chosen by who asks: this is nobody, and never signed for.
STRANGER = Caller(principal=Principal(sub="", tenant=""), actors=("",), chain="", credential="")
PATHS = {
    METADATA + "{path:path}": ("GET",),
    "/oauth/consent": ("GET", "POST"),
    "/oauth/callback/{server}": ("GET",),
    "/oauth/clients/{server}": ("GET",),
}


class PublicRelay:
    def __init__(self, account: Account, http: HttpClient, upstream: Upstream) -> None:
        self._account = account
        self._http = http
        self._upstream = upstream

    def routes(self) -> list[Route]:
        return [Route(path, endpoint=self, methods=list(methods)) for path, methods in PATHS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        guard.strip_identity(exchange)
        async with self._account(exchange, Plain()) as flight:
            flight.entry.resource, flight.entry.action = "route:mcp", "read"
            flight.check()
            refuse_rewritten(exchange)
            body = await exchange.body(_BODY_CAP)
            with self._upstream.pool.lent(exchange, STRANGER) as replica:
                async with await self._ask(replica, exchange, body) as reply:
                    answer = await reply.read(_REPLY_CAP)
                    await exchange.reply(reply.status, _outward(reply), answer)

    async def _ask(self, replica: Replica, exchange: Exchange, body: bytes) -> Reply:
        query = f"?{exchange.query}" if exchange.query else ""
        return await self._http.send(
            exchange.method,
            replica.url + exchange.path + query,
            headers=_inward(exchange),
            body=body,
            header_timeout=_SECONDS,
            idle_timeout=_SECONDS,
            pinned=replica.pinned,
        )


def refuse_rewritten(exchange: Exchange) -> None:
    """Raises NotFound, BadRequest for a path that the next reader might read as another one, also one that it
    would only have to unescape: no address that is open to strangers needs that.
    """
    if written_path(exchange) != exchange.path:
        raise NotFound("nothing is served at a path that is written like this")
    refuse_ambiguous(exchange)


def _inward(exchange: Exchange) -> list[tuple[bytes | str, bytes | str]]:
    headers: list[tuple[bytes | str, bytes | str]] = list(guard.inward(exchange))
    cookies = [value.decode("latin-1") for name, value in exchange.headers if name == b"cookie"]
    kept = [
        part.strip() for value in cookies for part in value.split(";") if _COOKIE in part.partition("=")[0]
    ]
    return [*headers, ("cookie", "; ".join(kept))] if kept else headers


def _outward(reply: Reply) -> list[tuple[bytes, bytes]]:
    given = [(name, value) for name, value in reply.headers if name == b"set-cookie"]
    kept = [header for header in guard.outward(reply.headers) if header[0] != b"content-length"]
    return [*kept, *given]
