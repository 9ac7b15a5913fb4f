"""What goes over HTTP to one server, with its own credential and nothing of the caller's."""

import msgspec

from mcp_gateway.config import Http
from mcp_gateway.credentials.credential import Credential, HeaderList, Owner, obtaining
from mcp_gateway.credentials.veil import Veil
from mcp_gateway.mirrors import encoded
from mcp_gateway.upstreams.upstream import Call, Welcome
from shared.dialects.mcp import VERSION_HEADER
from shared.errors import UpstreamFault, UpstreamUnreachable
from shared.http_client import HttpClient, Reply
from shared.jsonrpc import Envelope

_CONNECT_SECONDS = 5.0
_EITHER = ("accept", "application/json, text/event-stream")
_STREAM = ("accept", "text/event-stream")


class Wire:
    """The headers of `transport` go along with every request, and those of `credential` for whom it is
    made.
    """

    def __init__(self, name: str, transport: Http, http: HttpClient, credential: Credential) -> None:
        self._name = name
        self._url = transport.url
        self._http = http
        self._credential = credential
        self._veil = Veil()
        self._own: HeaderList = [(key.lower(), secret.reveal()) for key, secret in transport.headers.items()]

    async def post(self, owner: Owner, body: bytes, headers: HeaderList, *, url: str = "") -> Reply:
        """To `url` where the server is written to elsewhere. Raises UpstreamUnreachable, and what the
        credential does.
        """
        json = [("content-type", "application/json"), _EITHER, *headers]
        return await self._send(owner, "POST", json, body, url)

    async def stream(self, owner: Owner, headers: HeaderList) -> Reply:
        """Asks for the stream on which the server speaks first. Raises like `post`."""
        return await self._send(owner, "GET", [_STREAM, *headers])

    async def end(self, owner: Owner, headers: HeaderList) -> None:
        """Raises like `post`."""
        reply = await self._send(owner, "DELETE", headers)
        await reply.close()

    def veiled(self, owner: Owner, message: Envelope) -> Envelope:
        """What the server said, without the credential that it was shown."""
        return self._veil.over(owner, message)

    async def _send(
        self, owner: Owner, method: str, headers: HeaderList, body: bytes = b"", url: str = ""
    ) -> Reply:
        """A credential that is not accepted is looked at again, once."""
        for last in (False, True):
            with obtaining():
                shown = await self._credential.headers(owner)
            self._veil.remember(owner, [*self._own, *shown])
            reply = await self._sent(method, [*headers, *self._own, *shown], body, url)
            if reply.status not in (401, 403):
                break
            try:
                challenge = reply.header("www-authenticate")
                with obtaining():
                    again = await self._credential.refused(owner, shown, reply.status, challenge, last=last)
            except BaseException:
                await reply.close()
                raise
            if not again:
                break
            await reply.close()
        return reply

    async def _sent(self, method: str, headers: HeaderList, body: bytes, url: str) -> Reply:
        try:
            return await self._http.send(
                method,
                url or self._url,
                headers=headers,
                body=body,
                connect_timeout=_CONNECT_SECONDS,
                # Whoever asks knows how long to wait.
                header_timeout=None,
                idle_timeout=None,
            )
        except UpstreamFault as error:
            raise UpstreamUnreachable(
                f"the MCP server {self._name!r} cannot be reached", cause=error
            ) from error


def of_session(session_id: str, version: str) -> HeaderList:
    return [*([("mcp-session-id", session_id)] if session_id else []), (VERSION_HEADER, version)]


def mirrored(call: Call, welcome: Welcome) -> HeaderList:
    """What the stateless era wants to see in headers too. An empty parameter is an empty header."""
    named = call.params.get("uri" if call.method == "resources/read" else "name")
    found = [(VERSION_HEADER, welcome.version), ("mcp-method", call.method)]
    if named is not None:
        found.append(("mcp-name", encoded(msgspec.json.decode(named))))
    if call.traceparent:
        found.append(("traceparent", call.traceparent))
    return [*found, *call.headers]
