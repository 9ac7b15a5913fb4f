"""From bytes to an Ask: which era the client speaks, and whether what it sent is well-formed in it."""

import msgspec

from mcp_gateway import meta
from mcp_gateway.ask import Ask
from mcp_gateway.eras.session import SessionEra
from mcp_gateway.eras.stateless import StatelessEra
from mcp_gateway.search.tools import unwrapped
from mcp_gateway.surfaces import Surface
from shared import jsonrpc
from shared.account import Flight
from shared.asgi import Exchange
from shared.dialects.mcp import Mcp, is_stateless
from shared.errors import BadRequest, MethodNotAllowed
from shared.identity.principal import Caller
from shared.jsonrpc import Envelope

_SHOWN = 200


class Read:
    def __init__(
        self, session_era: SessionEra, stateless_era: StatelessEra, *, dialect: Mcp, body_cap: int
    ) -> None:
        self._session = session_era
        self._stateless = stateless_era
        self._dialect = dialect
        self._cap = body_cap

    async def __call__(self, exchange: Exchange, flight: Flight, caller: Caller, surface: Surface) -> Ask:
        """Raises BadRequest, NotFound, MethodNotAllowed, TooLarge; from here on errors carry the request's
        id.
        """
        stateless = is_stateless(exchange)
        if exchange.method == "GET" and not stateless:
            return await self._session.listen(exchange, caller, surface)
        if exchange.method == "DELETE" and not stateless:
            return await self._session.end(exchange, caller, surface)
        if exchange.method != "POST":
            raise MethodNotAllowed(f"{exchange.method} is not served here: send a POST")
        body = await exchange.body(self._cap)
        dialect = self._dialect.at(exchange).knowing(exchange, body)
        flight.dialect = dialect
        envelope = jsonrpc.read(body)
        if bytes(envelope.id) == b"null":
            raise BadRequest("the id of a request cannot be null", code=jsonrpc.INVALID_REQUEST)
        if not stateless and _has_envelope(envelope):
            # Without its headers: the rules of that era say so better than those of the other.
            stateless, dialect = True, dialect.as_stateless(envelope.id)
            flight.dialect = dialect
        flight.entry.method = envelope.method[:_SHOWN]
        flight.entry.request_id = bytes(envelope.id).decode("utf-8", "replace").strip('"')[:_SHOWN]
        era = self._stateless if stateless else self._session
        ask = unwrapped(await era.read(exchange, envelope, caller, surface))
        if ask.named is not None:
            flight.dialect = dialect.hiding(f"there is no {ask.named.kind} {ask.named.name[:_SHOWN]!r}")
        return ask


def _has_envelope(envelope: Envelope) -> bool:
    """Whether a request without the stateless era's version header still speaks of its version."""
    if not envelope.has_id or envelope.method == "initialize":
        return False
    if meta.PROTOCOL_VERSION.encode() not in bytes(envelope.params):
        return False
    try:
        return meta.PROTOCOL_VERSION in meta.members(meta.members(envelope.params).get("_meta", jsonrpc.NULL))
    except msgspec.DecodeError:
        return False
