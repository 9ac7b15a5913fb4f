"""Requests to a provider that are no chat calls: where they go, with which headers, and what their errors
mean.
"""

import math
from collections.abc import AsyncIterator
from urllib.parse import quote

from llm_gateway.providers import Provider
from llm_gateway.providers.keys import another
from shared.asgi import Headers
from shared.errors import UpstreamFault, UpstreamRefused
from shared.http_client import HttpClient, Reply

_ERROR_BODY_BYTES = 65_536
_UPLOAD_SECONDS = 3600.0
Body = bytes | tuple[bytes, ...] | AsyncIterator[bytes]


class Upstream:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def send(
        self,
        provider: Provider,
        method: str,
        address: str,
        *,
        body: Body = b"",
        content_type: bytes = b"",
        passed: Headers = (),
        patience: float = math.inf,
    ) -> Reply:
        """The reply, whatever its status; where a key of several is refused, the next one's. It is waited for
        for `patience` seconds at most, and no longer than the provider's section says. Raises UpstreamFault.
        """
        await provider.prepare(self._http)
        while True:
            own = provider.headers(passed, address=address, body=body if isinstance(body, bytes) else b"")
            headers = _dressed(own, body, content_type)
            reply = await self._once(provider, method, address, headers, body, patience)
            if reply.status < 400 or isinstance(body, AsyncIterator) or not another(own, reply):
                return reply
            await reply.close()

    async def accepted(self, provider: Provider, method: str, address: str, **more: object) -> Reply:
        """The reply of a provider that did what it was asked. Raises UpstreamFault."""
        reply = await self.send(provider, method, address, **more)  # type: ignore[arg-type]
        if 200 <= reply.status < 300:
            return reply
        async with reply:
            raise await refusal(provider, reply)

    async def _once(
        self, provider: Provider, method: str, address: str, headers: Headers, body: Body, patience: float
    ) -> Reply:
        section = provider.section
        return await self._http.send(
            method,
            address,
            headers=headers,
            body=_pieces(body) if isinstance(body, tuple) else body,
            connect_timeout=section.connect_timeout_seconds,
            header_timeout=min(_patience(section.first_byte_timeout_seconds, body), patience),
            idle_timeout=section.idle_timeout_seconds,
        )


async def refusal(provider: Provider, reply: Reply) -> UpstreamRefused:
    """What an error of the provider's means. That it is one is known: a body that cannot be read changes
    nothing.
    """
    try:
        said = await reply.read(_ERROR_BODY_BYTES)
    except UpstreamFault:
        said = b""
    return provider.refusal(reply, said)


def address_of(provider: Provider, name: str, path: str, *, model: str = "", more: str = "") -> str:
    """Where this provider has an endpoint: `paths` of its section says so where that is not OpenAI's place
    for it. Azure's older addresses name the deployment in the path of what is about a model.
    """
    section = provider.section
    base, path = section.base_url.rstrip("/"), section.paths.get(name, path) + more
    if not section.api_version:
        return base + path
    base = f"{base}/{quote(model, safe='')}" if model else base.removesuffix("/deployments")
    return f"{base}{path}?api-version={quote(section.api_version)}"


def _dressed(own: Headers, body: Body, content_type: bytes) -> list[tuple[bytes, bytes]]:
    headers = [header for header in own if header[0] != b"content-type"]
    if content_type:
        headers.append((b"content-type", content_type))
    if isinstance(body, tuple):
        headers.append((b"content-length", str(sum(map(len, body))).encode()))
    return headers


def _patience(seconds: float, body: Body) -> float:
    """An answer can only come when all of a request is there, and some of them come as slowly as their
    caller.
    """
    return max(seconds, _UPLOAD_SECONDS) if isinstance(body, AsyncIterator) else seconds


async def _pieces(body: tuple[bytes, ...]) -> AsyncIterator[bytes]:
    for piece in body:
        if piece:
            yield piece
