"""Calls to upstreams: raw bytes out and in, over pooled connections that are built once.

The only door to httpx and aiohttp. It goes straight to the transport, past httpx's client and its pool,
which cost more than everything else on this path; no redirects, no cookies, no proxy variables, no
decompression.
"""

import asyncio
import functools
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from types import ModuleType, TracebackType
from typing import Any, Self, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from shared.egress import Destination
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamTimeout, UpstreamUnreachable
from shared.idle import Idle

# Where click and rich are installed, httpx would bring a command line along: 4 MB and 80 ms for nothing.
cast("dict[str, ModuleType | None]", sys.modules).setdefault("httpx._main", None)

import httpx  # noqa: E402
from httpx_aiohttp import AiohttpTransport  # noqa: E402

RawHeaders = Sequence[tuple[bytes | str, bytes | str]]
_KEEPALIVE_SECONDS = 20
# A larger body is handed over in pieces: written at once it would hold up everybody else.
_PIECE = 512 * 1024
# Reading an address takes httpx longer than the rest of a request; upstreams have few of them. Callers of a
# relayed path choose theirs: long ones are not kept.
_kept_url = functools.lru_cache(maxsize=4096)(httpx.URL)
_LONGEST_KEPT = 512


class Reply:
    """An upstream's answer whose headers are in. Leaving `async with` closes the connection if the body is
    not read to its end.
    """

    def __init__(self, response: httpx.Response, idle_timeout: float | None) -> None:
        self.status = response.status_code
        self.headers: list[tuple[bytes, bytes]] = [
            (key.lower(), value) for key, value in response.headers.raw
        ]
        self._response = response
        self._idle = Idle(idle_timeout)

    def header(self, name: str) -> str | None:
        wanted = name.encode("latin-1")
        return next((value.decode("latin-1") for key, value in self.headers if key == wanted), None)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises UpstreamBroken when it is cut, UpstreamTimeout when nothing comes
        for too long.
        """
        stream = self._response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        source = stream.__aiter__()
        while True:
            try:
                with self._idle:
                    chunk = await source.__anext__()
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise UpstreamTimeout(
                    "the upstream went silent in the middle of its answer", cause=error
                ) from error
            except (httpx.HTTPError, aiohttp.ClientError, ConnectionError) as error:
                raise UpstreamBroken("the upstream's answer was cut off", cause=error) from error
            yield chunk

    async def read(self, cap: int) -> bytes:
        """The whole body. Raises UpstreamBroken past `cap` bytes."""
        parts: list[bytes] = []
        seen = 0
        async for chunk in self.chunks():
            seen += len(chunk)
            if seen > cap:
                raise UpstreamBroken(f"the upstream's answer is larger than {cap} bytes")
            parts.append(chunk)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def close(self) -> None:
        self._idle.close()
        stream = self._response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        await stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


class HttpClient:
    """One pool for a whole process, or for those who are trusted otherwise: `tls` replaces what the system
    trusts. `close` it when the process stops.
    """

    def __init__(self, *, per_host: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._per_host = per_host
        self._tls = tls
        self._transport: AiohttpTransport | None = None

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: RawHeaders = (),
        body: bytes | AsyncIterator[bytes] = b"",
        connect_timeout: float = 5.0,
        header_timeout: float | None = 60.0,
        idle_timeout: float | None = 300.0,
        pinned: Destination | None = None,
    ) -> Reply:
        """Sends a request and returns when the answer's headers are in. Timeouts in seconds.

        With `pinned`, which is then `url` as the egress guard saw it, the connection goes to the address that
        was checked, whatever DNS says meanwhile.

        Raises UpstreamUnreachable (no connection, or closed before an answer) and UpstreamTimeout.
        """
        if isinstance(body, bytes) and len(body) > _PIECE:
            headers, body = [*headers, ("content-length", str(len(body)))], _pieces(body)
        extensions: dict[str, Any] = {"timeout": {"connect": connect_timeout}}
        try:
            address = _url(url)
            if pinned is not None:
                headers = [*headers, ("host", address.netloc.decode("ascii"))]
                # TLS still asks for a certificate of the name, not of the number.
                extensions["sni_hostname"] = pinned.host
                address = address.copy_with(host=pinned.ip)
            request = httpx.Request(
                method,
                address,
                headers=list(headers),  # type: ignore[arg-type]
                content=body,
                extensions=extensions,
            )
            async with asyncio.timeout(header_timeout):
                response = await self._open().handle_async_request(request)
        except TimeoutError as error:
            raise UpstreamTimeout(f"no answer within {header_timeout} s", cause=error) from error
        except httpx.ConnectTimeout as error:
            raise UpstreamUnreachable("no connection to the upstream", cause=error) from error
        except httpx.TimeoutException as error:
            raise UpstreamTimeout("the upstream did not answer in time", cause=error) from error
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamUnreachable("no connection to the upstream", cause=error) from error
        return Reply(response, idle_timeout)

    async def close(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()

    def _open(self) -> AiohttpTransport:
        if self._transport is None:
            connector = aiohttp.TCPConnector(
                limit=0,
                limit_per_host=self._per_host,
                keepalive_timeout=_KEEPALIVE_SECONDS,
                ssl=self._tls or True,
            )
            session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
                read_bufsize=2**18,
            )
            connector._factory = cast(
                "functools.partial[ResponseHandler]",
                functools.partial(_Telling, asyncio.get_running_loop()),
            )
            # yarl would write addresses anew (`%3B` as `;`, `/%2e%2e/` as nothing): another path than was
            # asked for, signed, and allowed.
            session._build_url = _verbatim  # type: ignore[assignment,method-assign]
            # Our session brings its own TLS context; the transport's own would only cost time to load.
            self._transport = AiohttpTransport(verify=False, client=session)
        return self._transport


class _Telling(ResponseHandler):
    """Tells whoever reads a body that it is broken: aiohttp only closes the connection when a chunk's size is
    none, and the reader would wait for as long as it is ready to.
    """

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        super().set_exception(exc, *cause)
        payload = self._payload
        if payload is not None and not payload.is_eof() and payload.exception() is None:
            payload.set_exception(aiohttp.ClientPayloadError("the body is not framed as HTTP"))


def never_sent(error: UpstreamFault) -> bool:
    """Was there not even a connection? Then nobody can have seen anything of the request."""
    below = error.cause.__cause__ if isinstance(error.cause, BaseException) else None
    return isinstance(below, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


def never_written(error: UpstreamFault) -> bool:
    """Is the request itself such that it cannot be written as HTTP/1.1? Then the upstream has not failed."""
    return isinstance(error.cause, ValueError | httpx.InvalidURL)


def _url(text: str) -> httpx.URL:
    return _kept_url(text) if len(text) <= _LONGEST_KEPT else httpx.URL(text)


def _verbatim(url: str | URL) -> URL:
    return URL(url, encoded=True) if isinstance(url, str) else url


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]
