"""Relays one request to the service its route leads to: bytes in, bytes out, an identity token instead of a
credential.

A second try belongs to the gateway that knows what it would repeat. From here another replica is asked only
where the first cannot have seen the request, or where a configured service may be asked twice.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from msgspec import Struct

from api_gateway import guard
from api_gateway.answer import Answer, Through
from api_gateway.balance.pool import Pool
from api_gateway.balance.replica import Replica
from api_gateway.balance.retry import after_fault, after_status
from api_gateway.balance.upstream import Upstream
from shared import trace
from shared.account import Flight
from shared.asgi import Exchange
from shared.dialects import Dialect
from shared.dialects.plain import Plain, PlainEvents
from shared.egress import Destination
from shared.errors import BadRequest, ClientGone, GatestackError, Refusal, UpstreamFault
from shared.http_client import HttpClient, Reply
from shared.identity.principal import Caller
from shared.identity.signing import Signer
from shared.identity.token import identity_claims

# Bodies up to here are read before they are sent on: one write, not several, and errors know their id.
_SMALL_BODY = 65_536


class Forward(Protocol):
    """Answers a request; `through` is what a stage before does with the service's answer."""

    async def __call__(
        self,
        exchange: Exchange,
        flight: Flight,
        caller: Caller,
        upstream: Upstream,
        through: Through | None = None,
    ) -> None: ...


class Forwarder:
    def __init__(self, http: HttpClient, signer: Signer, *, body_cap: int, token_seconds: int) -> None:
        self._http = http
        self._signer = signer
        self._body_cap = body_cap
        self._token_seconds = token_seconds

    async def __call__(
        self,
        exchange: Exchange,
        flight: Flight,
        caller: Caller,
        upstream: Upstream,
        through: Through | None = None,
    ) -> None:
        """Sends the request on and its answer back as it arrives. Raises UpstreamFault, TooLarge, and
        Unavailable where no replica is well or the route is full.
        """
        if upstream.gate is None:
            await self._send(exchange, flight, caller, upstream, through)
            return
        async with upstream.gate.admit(exchange, caller, flight.elapsed_us() / 1e6):
            await self._send(exchange, flight, caller, upstream, through)

    async def _send(
        self, exchange: Exchange, flight: Flight, caller: Caller, upstream: Upstream, through: Through | None
    ) -> None:
        body = await self._body(exchange)
        if isinstance(body, bytes):
            flight.dialect = _knowing(flight.dialect, exchange, body)
        call = Call(
            exchange=exchange,
            path=path_of(exchange, upstream),
            headers=self.headers(exchange, flight, caller, upstream, body),
            body=body,
            upstream=upstream,
            through=through,
        )
        pool = upstream.pool_for(exchange, caller)
        if pool.only is not None:
            async with await self._ask(call, pool.only) as reply:
                await _relay(call, flight, reply)
        else:
            await self._balanced(call, flight, caller, pool)

    async def _balanced(self, call: "Call", flight: Flight, caller: Caller, pool: Pool) -> None:
        """Asks one replica and, where that does no harm, another one."""
        pool.retries.earn()
        tried: list[Replica] = []
        while True:
            replica = pool.take(call.exchange, caller, tried)
            tried.append(replica)
            try:
                async with await self._ask(call, replica.url, replica.pinned) as reply:
                    bad = pool.outliers.bad(reply.status)
                    if bad:
                        pool.failed(replica)
                    harmless = after_status(call.exchange, reply.status, inner=pool.inner)
                    if not (harmless and _again(call, pool, tried)):
                        await _relay(call, flight, reply)
                        if not bad:
                            pool.succeeded(replica)
                        return
            except UpstreamFault as error:
                pool.blame(replica, error)
                if call.exchange.started or not after_fault(call.exchange, error, inner=pool.inner):
                    raise
                if not _again(call, pool, tried):
                    raise
            finally:
                pool.give(replica)

    async def _ask(self, call: "Call", address: str, pinned: Destination | None = None) -> Reply:
        """One attempt, until the answer's headers are in."""
        body, upstream = call.body, call.upstream
        try:
            return await (upstream.http or self._http).send(
                call.exchange.method,
                address + call.path,
                headers=call.headers,
                body=body if isinstance(body, bytes) else body.chunks(),
                connect_timeout=upstream.connect_timeout,
                header_timeout=upstream.header_timeout,
                idle_timeout=upstream.idle_timeout,
                pinned=pinned,
            )
        except UpstreamFault:
            if isinstance(body, Upload) and body.failure is not None:
                raise body.failure from None
            raise

    async def _body(self, exchange: Exchange) -> "bytes | Upload":
        if not exchange.expects_body:
            return b""
        exchange.refuse_announced(self._body_cap)
        announced = exchange.header("content-length")
        if announced is not None and exchange.header("transfer-encoding") is not None:
            # The length is wrong then (RFC 9112 section 6.3), and the next reader would believe it. What
            # follows on this connection may be a part of the body.
            exchange.stamps.append((b"connection", b"close"))
            raise BadRequest("this request has both content-length and transfer-encoding: send one of them")
        if announced is not None and announced.isdigit() and int(announced) <= _SMALL_BODY:
            return await exchange.body(self._body_cap)
        return Upload(exchange, self._body_cap)

    def headers(
        self,
        exchange: Exchange,
        flight: Flight,
        caller: Caller,
        upstream: Upstream,
        body: "bytes | Upload",
    ) -> list[tuple[bytes | str, bytes | str]]:
        """What goes along with a request: the client's headers, cleaned, and ours."""
        claims = identity_claims(
            caller,
            issuer=self._signer.issuer,
            audience=upstream.audience,
            entry_id=flight.entry.id,
            trace=flight.trace,
            ttl=self._token_seconds,
        )
        own: list[tuple[bytes | str, bytes | str]] = [
            ("txn-token", self._signer.sign(claims, typ="txn+jwt")),
            ("traceparent", trace.render(flight.trace)),
            ("x-forwarded-proto", exchange.scope.get("scheme", "http")),
            ("x-forwarded-host", exchange.header("host") or ""),
            *upstream.headers,
        ]
        replaced = {name for name, _ in upstream.headers}
        sent = guard.inward(exchange)
        if upstream.request_headers is not None:
            sent = upstream.request_headers.apply(sent)
        headers: list[tuple[bytes | str, bytes | str]] = [h for h in sent if h[0] not in replaced]
        length = exchange.header("content-length")
        if not isinstance(body, bytes) and length is not None:
            own.append(("content-length", length))
        return headers + own


class Call(Struct, frozen=True, kw_only=True):
    """A request as it goes to whichever replica is asked."""

    exchange: Exchange
    path: str
    headers: list[tuple[bytes | str, bytes | str]]
    body: "bytes | Upload"
    upstream: Upstream
    through: Through | None = None


def _again(call: Call, pool: Pool, tried: list[Replica]) -> bool:
    """Can this request still be sent, is there somebody to send it to, and is that within the budget?"""
    whole = isinstance(call.body, bytes) or not call.body.begun
    return whole and pool.another(tried) and pool.retries.spend(len(tried))


class Upload:
    """A body that is sent on while it arrives. `failure` is what ended it on the client's side: the HTTP
    client could only tell that the connection it was writing to is of no more use. Once it has `begun` it
    cannot be sent again.
    """

    def __init__(self, exchange: Exchange, cap: int) -> None:
        self.failure: Exception | None = None
        self.begun = False
        self._exchange = exchange
        self._cap = cap

    async def chunks(self) -> AsyncIterator[bytes]:
        self.begun = True
        try:
            async for chunk in self._exchange.chunks(self._cap):
                yield chunk
        except (Refusal, ClientGone) as error:
            self.failure = error
            raise


async def _relay(call: Call, flight: Flight, reply: Reply) -> None:
    answer = reply if call.through is None else call.through(reply)
    await relay(call.exchange, flight, answer, call.upstream)


async def relay(exchange: Exchange, flight: Flight, reply: Answer, upstream: Upstream) -> None:
    """Sends an answer to the client, changed as the route says."""
    if not _takes_events(reply):
        # Only an event stream can carry an error of ours after its first byte; anything else is cut.
        flight.dialect = _UntilStarted(flight.dialect)
    elif isinstance(flight.dialect, Plain):
        flight.dialect = PlainEvents()
    length = reply.header("content-length")
    left = int(length) if length is not None and length.isdigit() else -1
    headers = guard.outward(reply.headers)
    if upstream.reply_headers is not None:
        headers = upstream.reply_headers.apply(headers)
    await exchange.start(reply.status, headers)
    async for chunk in reply.chunks():
        left -= len(chunk)
        if left == 0:
            await exchange.finish(chunk)
            return
        await exchange.write(chunk)
    await exchange.finish()


def _takes_events(reply: Answer) -> bool:
    """Can an event of ours stand at the end of this body? Not in a compressed one, nor in one of a length."""
    plain = reply.header("content-encoding") in (None, "identity") and reply.header("content-length") is None
    return plain and (reply.header("content-type") or "").startswith("text/event-stream")


class _UntilStarted:
    """The caller's dialect before the first byte, silence after it."""

    def __init__(self, dialect: Dialect) -> None:
        self.refusal = dialect.refusal

    def event(self, error: GatestackError, request_id: str) -> bytes:
        return b""


def _knowing(dialect: Dialect, exchange: Exchange, body: bytes) -> Dialect:
    """The dialect with what only the request's body tells (a JSON-RPC id), where it has such a thing."""
    knows = getattr(dialect, "knowing", None)
    found: Dialect = knows(exchange, body) if knows is not None else dialect
    return found


def path_of(exchange: Exchange, upstream: Upstream) -> str:
    """The path and query that the service is asked for. Raises BadRequest."""
    raw: bytes = exchange.scope.get("raw_path") or exchange.path.encode()
    path = raw.decode("latin-1").partition("?")[0]
    if not path.startswith(upstream.strip):
        # The prefix was written with escapes: cutting it off here would not cut it off there.
        raise BadRequest(f"write the beginning of this path as it is: {upstream.strip}")
    path = path[len(upstream.strip) :]
    query = f"?{exchange.query}" if exchange.query else ""
    return f"{path or '/'}{query}"
