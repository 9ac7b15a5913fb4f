"""Where a document comes from, and where its API is: files and addresses of the operator, and what documents
claim, which the egress guard looks at.
"""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

from msgspec import Struct

from mcp_gateway.transports import OpenApi
from mcp_gateway.upstreams.openapi.document import Document, Unusable
from shared.egress import Destination, Egress
from shared.errors import Refusal, UpstreamRefused, UpstreamUnreachable
from shared.http_client import HttpClient

_SECONDS = 10.0
_VARIABLE = re.compile(r"\{([^{}]*)\}")


class Address(Struct, frozen=True):
    """Where an API is. `claimed` by its document, it is looked at anew before each call."""

    url: str
    claimed: bool


class Source:
    def __init__(self, transport: OpenApi, http: HttpClient, base: Path) -> None:
        self._transport = transport
        self._http = http
        self._base = base
        self._egress = Egress(transport.allow)

    @property
    def place(self) -> str:
        """The document's own address; empty for a file."""
        return self._transport.document if self._remote else ""

    async def read(self) -> bytes:
        """The document as it is now. Raises UpstreamFault."""
        return await (self._fetched() if self._remote else asyncio.to_thread(self._from_file))

    def address(self, document: Document) -> Address:
        """Where the API is. Raises Unusable when nobody says it."""
        if self._transport.url:
            return Address(self._transport.url.rstrip("/"), claimed=False)
        servers = document.root.get("servers")
        first = servers[0] if isinstance(servers, list) and servers and isinstance(servers[0], dict) else {}
        url = _VARIABLE.sub(_default(first), str(first.get("url") or "/"))
        whole = urljoin(document.place, url)
        if not whole.startswith(("http://", "https://")) or "?" in whole or "#" in whole or "{" in whole:
            raise Unusable("it does not say where its API is: give the transport a url")
        return Address(whole.rstrip("/"), claimed=True)

    async def checked(self, address: Address) -> Destination | None:
        """What to connect to for a claimed address; None where the operator has named it. Raises
        UpstreamUnreachable for one that may not be called.
        """
        return await self._look(address.url) if address.claimed else None

    @property
    def _remote(self) -> bool:
        return "://" in self._transport.document

    async def _look(self, url: str) -> Destination:
        try:
            return await self._egress.check(url)
        except Refusal as error:
            cause = error.cause or error
            raise UpstreamUnreachable(f"the API may not be called: {error.detail}", cause=cause) from error

    async def _fetched(self) -> bytes:
        url = self._transport.document
        reply = await self._http.send(
            "GET",
            url,
            headers=[("accept", "application/json, application/yaml;q=0.9"), ("user-agent", "gatestack")],
            header_timeout=_SECONDS,
            idle_timeout=_SECONDS,
            pinned=await self._look(url),
        )
        async with reply, asyncio.timeout(_SECONDS):
            if reply.status != 200:
                raise UpstreamRefused(
                    f"the API's document cannot be had: HTTP status {reply.status}",
                    upstream_status=reply.status,
                    retryable=False,
                )
            return await reply.read(self._transport.max_document_bytes)

    def _from_file(self) -> bytes:
        try:
            with (self._base / self._transport.document).open("rb") as file:
                raw = file.read(self._transport.max_document_bytes + 1)
        except OSError as error:
            raise UpstreamUnreachable("the API's document cannot be read", cause=error) from error
        if len(raw) > self._transport.max_document_bytes:
            raise UpstreamUnreachable("the API's document is too large")
        return raw


def _default(server: dict[str, object]) -> Callable[[re.Match[str]], str]:
    """What stands for a variable of a server's address."""
    variables = server.get("variables")

    def found(match: re.Match[str]) -> str:
        variable = variables.get(match[1]) if isinstance(variables, dict) else None
        return str(variable.get("default", match[0])) if isinstance(variable, dict) else match[0]

    return found
