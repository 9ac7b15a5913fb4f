"""The session era (2025-03-26 to 2025-11-25): a handshake, then requests that name the session it began.

Source: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports
"""

import msgspec
from msgspec import Raw

from mcp_gateway import meta, methods
from mcp_gateway.ask import Ask, accepts_streams, named, opened, token_of
from mcp_gateway.capabilities import NONE, declared
from mcp_gateway.meta import LEVELS, Members
from mcp_gateway.methods import Method
from mcp_gateway.sessions import Session, Sessions
from mcp_gateway.surfaces import Surface
from shared import jsonrpc
from shared.asgi import Exchange
from shared.errors import BadRequest, UpstreamBroken
from shared.identity.principal import Caller
from shared.jsonrpc import Envelope

SESSION_HEADER = "mcp-session-id"
# Members of results that only the stateless era has.
_STATELESS_ONLY = ("resultType", "ttlMs", "cacheScope")


class SessionEra:
    stateless = False

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def read(self, exchange: Exchange, envelope: Envelope, caller: Caller, surface: Surface) -> Ask:
        if not envelope.method and not bytes(envelope.result) and not bytes(envelope.error):
            raise BadRequest(
                "a body must be one request, notification or answer", code=jsonrpc.INVALID_REQUEST
            )
        begins = envelope.method == "initialize" and envelope.has_id
        session = None if begins else await self._session(exchange, caller, surface)
        if not envelope.method or not envelope.has_id:
            cancels = envelope.method == "notifications/cancelled"
            said = opened(envelope)[0] if cancels else {}
            return Ask(
                era=self,
                method=methods.NOTIFICATION,
                surface=surface,
                params=said,
                session=session,
                told=envelope,
            )
        params, found = opened(envelope)
        method = methods.find(envelope.method, stateless=False, passes=bool(surface.server))
        return Ask(
            era=self,
            method=method,
            surface=surface,
            id=envelope.id,
            params=params,
            meta=meta.passing(found),
            named=named(method, params),
            session=session,
            progress_token=token_of(found),
            log_from=LEVELS.index(session.level) if session is not None and session.level else 0,
            capabilities=_capabilities(params, session, streams=accepts_streams(exchange)),
            streams=accepts_streams(exchange),
        )

    async def listen(self, exchange: Exchange, caller: Caller, surface: Surface) -> Ask:
        """A client that wants to hear what it has not asked for."""
        session = await self._session(exchange, caller, surface)
        return Ask(
            era=self,
            method=methods.STREAM,
            surface=surface,
            session=session,
            log_from=LEVELS.index(session.level) if session.level else 0,
            capabilities=Raw(session.capabilities),
        )

    async def end(self, exchange: Exchange, caller: Caller, surface: Surface) -> Ask:
        """A client that says farewell."""
        session = await self._session(exchange, caller, surface)
        return Ask(era=self, method=methods.END_SESSION, surface=surface, session=session)

    def listed(self, members: bytes, ttl_ms: bytes) -> bytes:
        return b"{" + members + b"}"

    def dressed(self, method: Method, result: bytes) -> bytes:
        if b'"resultType"' not in result:
            return result
        members = meta.members(result)
        if bytes(members.get("resultType", Raw())) not in (b"", b'"complete"'):
            raise UpstreamBroken(
                "the MCP server asks for something that clients of this revision cannot give"
            )
        for name in _STATELESS_ONLY:
            members.pop(name, None)
        return msgspec.json.encode(members)

    async def _session(self, exchange: Exchange, caller: Caller, surface: Surface) -> Session:
        session_id = exchange.header(SESSION_HEADER)
        if not session_id:
            raise BadRequest(
                f"the header {SESSION_HEADER} is missing: begin with initialize, and send what it answers",
                code=jsonrpc.INVALID_REQUEST,
            )
        return await self._sessions.find(session_id, caller, surface)


def _capabilities(params: Members, session: Session | None, *, streams: bool) -> Raw:
    """A client that cannot read a stream cannot be asked anything in the middle of a call."""
    if session is None:
        return declared(params.get("capabilities", NONE))
    return Raw(session.capabilities) if streams else NONE
