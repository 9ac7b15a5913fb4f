"""Relays one request to the service its route leads to: bytes in, bytes out, an identity token instead of a
credential.

A second try belongs to the gateway that knows what it would repeat. From here another replica is asked only
where the first cannot have seen the request, or where a configured service may be asked twice.
"""

from msgspec import Struct

from api_gateway import guard
from api_gateway.balance.pool import Pool
from api_gateway.balance.replica import Replica
from api_gateway.balance.retry import after_fault, after_status
from api_gateway.balance.upstream import Upstream
from api_gateway.errand import Errand
from api_gateway.relay import relay
from api_gateway.upload import Upload, body_of
from api_gateway.written_path import written_path
from shared import trace
from shared.account import Flight
from shared.asgi import Exchange
from shared.dialects import Dialect
from shared.egress import Destination
from shared.errors import BadRequest, UpstreamFault
from shared.http_client import HttpClient, Reply, never_written
from shared.identity.principal import Caller
from shared.identity.signing import Signer
from shared.identity.token import identity_claims


class Call(Struct, frozen=True, kw_only=True):
    """A request as it goes to whichever replica is asked."""

    errand: Errand
    path: str
    headers: list[tuple[bytes | str, bytes | str]]
    body: bytes | Upload


class Forwarder:
    def __init__(self, http: HttpClient, signer: Signer, *, body_cap: int, token_seconds: int) -> None:
        self._http = http
        self._signer = signer
        self._body_cap = body_cap
        self._token_seconds = token_seconds

    async def __call__(self, errand: Errand) -> None:
        """Sends the request on and its answer back as it arrives. Raises UpstreamFault, TooLarge, and
        Unavailable where no replica is well or the route is full.
        """
        gate = errand.upstream.gate
        if gate is None:
            await self._send(errand)
            return
        async with gate.admit(errand.exchange, errand.caller, errand.flight.elapsed_us() / 1e6):
            await self._send(errand)

    async def _send(self, errand: Errand) -> None:
        exchange, flight, caller, upstream = errand.exchange, errand.flight, errand.caller, errand.upstream
        body = await body_of(exchange, self._body_cap)
        if isinstance(body, bytes):
            flight.dialect = _knowing(flight.dialect, exchange, body)
        call = Call(
            errand=errand,
            path=path_of(exchange, upstream),
            headers=self.headers(exchange, flight, caller, upstream, body),
            body=body,
        )
        pool = upstream.pool_for(exchange, caller)
        if pool.only is not None:
            async with await self._ask(call, pool.only) as reply:
                await _relay(call, reply)
        else:
            await self._balanced(call, pool)

    async def _balanced(self, call: Call, pool: Pool) -> None:
        """Asks one replica and, where that does no harm, another one."""
        exchange, caller = call.errand.exchange, call.errand.caller
        pool.retries.earn()
        tried: list[Replica] = []
        while True:
            replica = pool.take(exchange, caller, tried)
            tried.append(replica)
            try:
                async with await self._ask(call, replica.url, replica.pinned) as reply:
                    bad = pool.outliers.bad(reply.status)
                    if bad:
                        pool.failed(replica)
                    harmless = after_status(exchange, reply.status, inner=pool.inner)
                    if not (harmless and _again(call, pool, tried)):
                        await _relay(call, reply)
                        if not bad:
                            pool.succeeded(replica)
                        return
            except UpstreamFault as error:
                pool.blame(replica, error)
                if exchange.started or not after_fault(exchange, error, inner=pool.inner):
                    raise
                if not _again(call, pool, tried):
                    raise
            finally:
                pool.give(replica)

    async def _ask(self, call: Call, address: str, pinned: Destination | None = None) -> Reply:
        """One attempt, until the answer's headers are in."""
        body, upstream = call.body, call.errand.upstream
        call.errand.flight.sends()
        try:
            return await (upstream.http or self._http).send(
                call.errand.exchange.method,
                address + call.path,
                headers=call.headers,
                body=body if isinstance(body, bytes) else body.chunks(),
                connect_timeout=upstream.connect_timeout,
                header_timeout=upstream.header_timeout,
                idle_timeout=upstream.idle_timeout,
                pinned=pinned,
            )
        except UpstreamFault as error:
            if isinstance(body, Upload) and body.failure is not None:
                raise body.failure from None
            if never_written(error):
                # Whoever sends such a thing must not have healthy replicas taken for sick ones.
                raise BadRequest(
                    "this request has a header or an address that cannot be sent on", cause=error.cause
                ) from error
            raise

    def headers(
        self,
        exchange: Exchange,
        flight: Flight,
        caller: Caller,
        upstream: Upstream,
        body: bytes | Upload,
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
        # CGI and WSGI services read `x_user` and `x-user` as one and the same header.
        replaced = {name.replace(b"_", b"-") for name, _ in upstream.headers}
        sent = guard.inward(exchange)
        if upstream.request_headers is not None:
            sent = upstream.request_headers.apply(sent)
        headers: list[tuple[bytes | str, bytes | str]] = [
            header for header in sent if header[0].replace(b"_", b"-") not in replaced
        ]
        length = exchange.header("content-length")
        if not isinstance(body, bytes) and length is not None:
            own.append(("content-length", length))
        return headers + own


def _again(call: Call, pool: Pool, tried: list[Replica]) -> bool:
    """Can this request still be sent, is there somebody to send it to, and is that within the budget?"""
    whole = isinstance(call.body, bytes) or not call.body.begun
    return whole and pool.another(tried) and pool.retries.spend(len(tried))


async def _relay(call: Call, reply: Reply) -> None:
    errand = call.errand
    answer = reply if errand.through is None else errand.through(reply)
    await relay(errand.exchange, errand.flight, answer, errand.upstream)


def _knowing(dialect: Dialect, exchange: Exchange, body: bytes) -> Dialect:
    """The dialect with what only the request's body tells (a JSON-RPC id), where it has such a thing."""
    knows = getattr(dialect, "knowing", None)
    found: Dialect = knows(exchange, body) if knows is not None else dialect
    return found


def path_of(exchange: Exchange, upstream: Upstream) -> str:
    """The path and query that the service is asked for. Raises BadRequest."""
    path = written_path(exchange)
    if not path.startswith(upstream.strip):
        # The prefix was written with escapes: cutting it off here would not cut it off there.
        raise BadRequest(f"write the beginning of this path as it is: {upstream.strip}")
    path = path[len(upstream.strip) :]
    query = f"?{exchange.query}" if exchange.query else ""
    return f"{path or '/'}{query}"
