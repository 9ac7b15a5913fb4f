"""Where agents bring push notifications from outside: `POST /agents/<name>/push/<id>`. No caller is known
here. agent_gateway knows the one-time address and its token; the edge only keeps floods and large bodies out.
"""

from collections import OrderedDict

from api_gateway import guard
from api_gateway.balance.upstream import Upstream
from api_gateway.config import PushSection
from api_gateway.public_relay import STRANGER, refuse_rewritten
from shared import trace
from shared.account import Account
from shared.asgi import Exchange, Receive, Scope, Send
from shared.client_address import source
from shared.clock import Clock
from shared.dialects.plain import Plain
from shared.errors import LimitExceeded, MethodNotAllowed, Unauthenticated
from shared.http_client import HttpClient

PATH = "/agents/{name}/push/{hook}"
TOKEN = "x-a2a-notification-token"
_BEARER = "bearer "
_MOST_SENDERS = 10_000
_MINUTE = 60.0


class Push:
    def __init__(
        self, account: Account, http: HttpClient, upstream: Upstream, section: PushSection, clock: Clock
    ) -> None:
        self._account = account
        self._http = http
        self._upstream = upstream
        self._section = section
        self._floods = Floods(section.per_minute, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        guard.strip_identity(exchange)
        async with self._account(exchange, Plain()) as flight:
            entry = flight.entry
            entry.agent = str(exchange.path_params["name"])[:63]
            entry.resource, entry.action = f"agent:{entry.agent}", "push"
            flight.check()
            refuse_rewritten(exchange)
            self._floods.refuse(source(scope))
            if exchange.method != "POST":
                raise MethodNotAllowed("notifications are POSTed")
            token = _token(exchange)
            body = await exchange.body(self._section.max_bytes)
            await self._relay(exchange, token, body)

    async def _relay(self, exchange: Exchange, token: str, body: bytes) -> None:
        """Raises UpstreamFault, and Unavailable where nobody is well; agents send such a one again."""
        upstream = self._upstream
        span = trace.child(exchange.trace, sample=0.0, trusted=False)
        headers: list[tuple[bytes | str, bytes | str]] = [
            ("content-type", exchange.header("content-type") or "application/json"),
            ("traceparent", trace.render(span)),
            (TOKEN, token),
        ]
        with upstream.pool.lent(exchange, STRANGER) as replica:
            async with await self._http.send(
                "POST",
                replica.url + exchange.path,
                headers=headers,
                body=body,
                connect_timeout=upstream.connect_timeout,
                header_timeout=upstream.header_timeout,
                idle_timeout=upstream.idle_timeout,
                pinned=replica.pinned,
            ) as reply:
                answer = await reply.read(self._section.max_bytes)
                await exchange.reply(reply.status, guard.outward(reply.headers), answer)


class Floods:
    """Counts what comes from each address within a minute; the addresses that were heard last are known."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._most = per_minute
        self._clock = clock
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def refuse(self, sender: str) -> None:
        """Counts one more. Raises LimitExceeded."""
        now = self._clock.monotonic()
        since, count = self._seen.pop(sender, (now, 0))
        if now - since >= _MINUTE:
            since, count = now, 0
        self._seen[sender] = (since, count + 1)
        if len(self._seen) > _MOST_SENDERS:
            self._seen.popitem(last=False)
        if count >= self._most:
            raise LimitExceeded(
                f"more than {self._most} notifications a minute come from this address",
                retry_after=_MINUTE - (now - since),
            )


def _token(exchange: Exchange) -> str:
    """What the agent was given with the address. Raises Unauthenticated."""
    bearer = exchange.header_or_none("authorization") or ""
    token = exchange.header_or_none(TOKEN) or (
        bearer[len(_BEARER) :].strip() if bearer[: len(_BEARER)].lower() == _BEARER else ""
    )
    if not token:
        raise Unauthenticated("send the token that came with this address")
    return token
