"""WebSockets to upstreams (RFC 6455): whole messages out and in, over connections of their own.

A door to aiohttp beside shared/http_client.py. No redirects, no compression, no cookies.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from msgspec import Struct
from yarl import URL

from shared.egress import Destination
from shared.errors import BadRequest, UpstreamBroken, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable
from shared.http_client import RawHeaders

# How long somebody whom we leave may take to say goodbye.
_GOODBYE_SECONDS = 0.05


class Closed(Struct, frozen=True):
    """The other side has closed, with its code (RFC 6455 section 7.4) and reason."""

    code: int
    reason: str = ""


class UpstreamSocket:
    """An open WebSocket. Leaving `async with` closes it: 1001 unless `close` was called."""

    def __init__(self, socket: "aiohttp.ClientWebSocketResponse[bool]") -> None:
        self.protocol = socket.protocol
        self._socket = socket

    async def send(self, message: str | bytes) -> None:
        """Raises UpstreamBroken."""
        try:
            if isinstance(message, str):
                await self._socket.send_str(message)
            else:
                await self._socket.send_bytes(message)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise UpstreamBroken("the upstream's connection was cut", cause=error) from error

    async def receive(self) -> str | bytes | Closed:
        """The next message, or that there is none. Raises UpstreamBroken when it was cut or is too large."""
        found = await self._socket.receive()
        if found.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            message: str | bytes = found.data
            return message
        if found.type is aiohttp.WSMsgType.CLOSE:
            return Closed(int(found.data or 1005), str(found.extra or ""))
        if self._socket.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
            raise UpstreamBroken("a message of the upstream is larger than is allowed here")
        raise UpstreamBroken("the upstream's connection was cut", cause=self._socket.exception())

    async def close(self, code: int = 1001) -> None:
        """Says goodbye, and does not wait long for an answer."""
        with contextlib.suppress(TimeoutError, aiohttp.ClientError, ConnectionError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._socket.close(code=code)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


class WebSocketClient:
    """`tls` replaces what the system trusts. `close` it when the process stops."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def connect(
        self,
        url: str,
        *,
        headers: RawHeaders,
        protocols: Sequence[str],
        max_message: int,
        timeout: float,
        pinned: Destination | None = None,
    ) -> UpstreamSocket:
        """An open WebSocket at an `http(s)` address, within `timeout` seconds; `max_message` in bytes.

        Raises UpstreamUnreachable, UpstreamTimeout, UpstreamRefused where the answer is not an upgrade, and
        BadRequest for headers that cannot be written.
        """
        named = [(_text(name), _text(value)) for name, value in headers]
        address = URL(url, encoded=True)
        if pinned is not None:
            named.append(("host", address.authority))
            address = address.with_host(pinned.ip)
        try:
            async with asyncio.timeout(timeout):
                socket = await self._open().ws_connect(
                    address,
                    headers=named,
                    protocols=protocols,
                    max_msg_size=max_message,
                    autoclose=False,
                    server_hostname=pinned.host if pinned is not None else None,
                )
        except TimeoutError as error:
            raise UpstreamTimeout(f"no answer within {timeout} s", cause=error) from error
        except aiohttp.WSServerHandshakeError as error:
            raise UpstreamRefused(
                "the service behind this route did not open a WebSocket",
                upstream_status=error.status,
                retryable=False,
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamUnreachable("no connection to the upstream", cause=error) from error
        except ValueError as error:
            raise BadRequest("this handshake has a header that cannot be sent on", cause=error) from error
        return UpstreamSocket(socket)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._tls or True),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("user-agent", "accept", "accept-encoding"),
                middlewares=(_unredirected,),
            )
        return self._session


async def _unredirected(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Our headers are for the service that was asked, and for nobody whom it names."""
    response = await handler(request)
    if 300 <= response.status < 400:
        response.close()
        raise aiohttp.WSServerHandshakeError(
            response.request_info, response.history, status=response.status, message="a redirect"
        )
    return response


def _text(value: bytes | str) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
