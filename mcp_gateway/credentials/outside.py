"""Requests to authorization servers: JSON in answer, within a size and a time, without redirects, and to no
address that the operator did not mean.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from mcp_gateway.credentials.credential import HeaderList
from mcp_gateway.credentials.section import secure
from shared.dialects.mcp import STATELESS_VERSIONS, VERSION_HEADER
from shared.egress import Destination, Egress, origin
from shared.errors import BadRequest, Forbidden, UpstreamBroken, UpstreamRefused, UpstreamTimeout
from shared.http_client import HttpClient, Reply

Form = dict[str, str]
_CAP = 262_144
_SECONDS = 10.0
_JSON: HeaderList = [("accept", "application/json"), ("accept-encoding", "identity")]
_STREAM: HeaderList = [("accept", "text/event-stream")]
_GREETING = (
    b'{"jsonrpc":"2.0","id":0,"method":"server/discover","params":{"_meta":{'
    b'"io.modelcontextprotocol/protocolVersion":"' + STATELESS_VERSIONS[0].encode() + b'",'
    b'"io.modelcontextprotocol/clientCapabilities":{}}}}'
)
_GREETING_HEADERS: HeaderList = [
    ("content-type", "application/json"),
    ("accept", "application/json, text/event-stream"),
    (VERSION_HEADER, STATELESS_VERSIONS[0]),
    ("mcp-method", "server/discover"),
]
_FORM: HeaderList = [*_JSON, ("content-type", "application/x-www-form-urlencoded")]

T = TypeVar("T", bound=Struct)


class Outside:
    """`known` are addresses from the configuration: their origins are the operator's, whatever they are. What
    a server leads us to is only known by its own ones, not by those of the operator's other servers.
    """

    def __init__(self, http: HttpClient, egress: Egress, known: Iterable[str]) -> None:
        self._http = http
        self._egress = egress
        self._known = frozenset(map(origin, known))

    async def document(self, url: str, kind: type[T]) -> T | None:
        """The document at `url`; None where there is none. Raises UpstreamFault."""
        async with self._answer("GET", url, _JSON, b"") as reply:
            if 400 <= reply.status < 500:
                return None
            if reply.status != 200:
                raise UpstreamRefused(
                    f"{_host(url)} answered with HTTP status {reply.status} when it was asked for metadata",
                    upstream_status=reply.status,
                    retryable=False,
                )
            return decoded(await reply.read(_CAP), kind, url)

    async def challenge(self, url: str) -> str | None:
        """What an MCP server asks of somebody who comes without a credential. It is greeted, for in the
        stateless era there is nothing to GET; some answer anybody, and ask only those who want to hear more.
        """
        for method, headers, body in (("POST", _GREETING_HEADERS, _GREETING), ("GET", _STREAM, b"")):
            async with self._answer(method, url, headers, body) as reply:
                if reply.status == 401:
                    return reply.header("www-authenticate")
        return None

    async def post(self, url: str, form: Form, headers: HeaderList) -> tuple[int, bytes]:
        """Raises UpstreamFault."""
        return await self._posted(url, [*_FORM, *headers], urlencode(form).encode())

    async def post_json(self, url: str, body: bytes) -> tuple[int, bytes]:
        return await self._posted(url, [*_JSON, ("content-type", "application/json")], body)

    async def _posted(self, url: str, headers: HeaderList, body: bytes) -> tuple[int, bytes]:
        async with self._answer("POST", url, headers, body) as reply:
            return reply.status, await reply.read(_CAP)

    @contextlib.asynccontextmanager
    async def _answer(
        self, method: str, url: str, headers: HeaderList, body: bytes
    ) -> AsyncGenerator[Reply, None]:
        """All of it has its time: who sends a byte now and then would hold a user's grant, and our end."""
        try:
            async with asyncio.timeout(_SECONDS):
                pinned = await self._pinned(url)
                async with await self._http.send(
                    method,
                    url,
                    headers=headers,
                    body=body,
                    header_timeout=None,
                    idle_timeout=None,
                    pinned=pinned,
                ) as reply:
                    yield reply
        except TimeoutError as error:
            raise UpstreamTimeout(f"{_host(url)} took longer than {_SECONDS:g} s", cause=error) from error

    async def _pinned(self, url: str) -> Destination | None:
        """Where the connection may go; None for the operator's own addresses. Raises UpstreamRefused."""
        try:
            if origin(url) in self._known:
                return None
            if not secure(url):
                raise Forbidden("it is no https address")
            return await self._egress.check(url)
        except (BadRequest, Forbidden) as error:
            raise UpstreamRefused(
                "an authorization server was named at an address that may not be called from here",
                upstream_status=502,
                retryable=False,
            ) from error


def decoded(body: bytes, kind: type[T], url: str) -> T:
    """Raises UpstreamBroken, without the body: it may hold a token."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamBroken(
            f"{_host(url)} answered with something that is not what was asked for"
        ) from error


def _host(url: str) -> str:
    return f"the authorization server {origin(url)[1]!r}"
