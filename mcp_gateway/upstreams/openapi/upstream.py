"""A REST API behind the Protocol of upstreams: it lists its operations as tools, and calls them."""

import asyncio
import hashlib
import itertools
import logging
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from mcp_gateway.credentials.credential import HeaderList
from mcp_gateway.credentials.veil import Veil
from mcp_gateway.meta import Members, members
from mcp_gateway.transports import OpenApi
from mcp_gateway.upstreams import greeting
from mcp_gateway.upstreams.openapi import answers
from mcp_gateway.upstreams.openapi.document import Unusable, read
from mcp_gateway.upstreams.openapi.operations import Found, operations
from mcp_gateway.upstreams.openapi.parameters import NotSendable
from mcp_gateway.upstreams.openapi.request import Request, request
from mcp_gateway.upstreams.openapi.source import Address, Source
from mcp_gateway.upstreams.upstream import Call, Welcome
from shared import jsonrpc
from shared.errors import UpstreamBroken, UpstreamUnreachable
from shared.http_client import HttpClient, Reply
from shared.jsonrpc import Envelope

_LOG = logging.getLogger("gatestack")  # noqa: TID251  what a document lacks is nobody's request
_CONNECT_SECONDS = 5.0
_SHOWN = 20
_OURS = [("accept", "application/json, */*;q=0.5"), ("user-agent", "gatestack")]


class _Api(Struct, frozen=True):
    """What was read last. `digest` is that of the document's bytes."""

    digest: str
    address: Address
    found: Found
    welcome: Welcome


class OpenApiUpstream:
    """`http` is what calls it. Its document is read again whenever its tools are asked for."""

    def __init__(
        self, name: str, transport: OpenApi, http: HttpClient, base: Path, *, result_cap: int
    ) -> None:
        self.name = name
        self._transport = transport
        self._http = http
        self._cap = result_cap
        self._source = Source(transport, http, base)
        self._headers: HeaderList = [
            (key.lower(), secret.reveal()) for key, secret in transport.headers.items()
        ]
        self._query = [(key, secret.reveal()) for key, secret in transport.query.items()]
        self._veil = Veil()
        self._veil.remember((), [*self._headers, *self._query])
        self._api: _Api | None = None
        self._loading = asyncio.Lock()

    async def welcome(self) -> Welcome:
        return (self._api or await self._load()).welcome

    async def call(self, call: Call) -> AsyncGenerator[Envelope, None]:
        if call.method == "tools/list":
            api = await self._load()
            tools = [operation.definition() for operation in api.found.operations.values()]
            yield Envelope(result=Raw(msgspec.json.encode({"tools": tools})))
        elif call.method == "tools/call":
            yield await self._called(call)
        else:
            yield _error(jsonrpc.METHOD_NOT_FOUND, "an API has nothing but tools")

    async def close(self) -> None:
        """Nothing is kept open for it."""

    async def _load(self) -> _Api:
        """The document as it is now. Raises UpstreamFault; what was read before stays in use then."""
        async with self._loading:
            raw = await self._source.read()
            digest = hashlib.sha256(raw).hexdigest()
            if self._api is None or self._api.digest != digest:
                # Large documents take a while: others are served meanwhile.
                self._api = await asyncio.to_thread(self._read, raw, digest)
            return self._api

    def _read(self, raw: bytes, digest: str) -> _Api:
        try:
            document = read(raw, self._source.place)
            found = operations(document, self._transport)
            address = self._source.address(document)
        except (Unusable, RecursionError) as error:
            raise UpstreamBroken(f"the document of the API {self.name!r} cannot be used: {error}") from error
        for operation, why in itertools.islice(found.left_out.items(), _SHOWN):
            _LOG.warning("the API %s: %r is no tool: %s", self.name, operation, why)
        # Pins hang on the name: an address that the document has chosen is part of who this is.
        name = f"{document.title} ({address.url})" if address.claimed else document.title
        info = Raw(msgspec.json.encode({"name": name, "version": document.version}))
        welcome = Welcome(
            stateless=True, version=greeting.NEWEST, capabilities={"tools": Raw(b"{}")}, info=info
        )
        return _Api(digest, address, found, welcome)

    async def _called(self, call: Call) -> Envelope:
        api = self._api or await self._load()
        name = msgspec.json.decode(call.params["name"], type=str)
        operation = api.found.operations.get(name)
        if operation is None:
            return _error(jsonrpc.INVALID_PARAMS, f"the API {self.name!r} has no such operation any more")
        try:
            arguments: Members = members(call.params.get("arguments", Raw()))
            made = request(operation, arguments)
        except (NotSendable, msgspec.DecodeError) as error:
            return Envelope(result=Raw(answers.failed(f"the call was not made: {error}")))
        async with await self._send(api.address, made, call) as reply:
            result = await answers.result(reply, operation, self.name, self._cap)
        return self._veil.over((), Envelope(result=Raw(result)))

    async def _send(self, address: Address, made: Request, call: Call) -> Reply:
        pinned = await self._source.checked(address)
        trace = [("traceparent", call.traceparent)] if call.traceparent else []
        try:
            return await self._http.send(
                made.method,
                address.url + _with(made.target, self._query),
                headers=[*_OURS, *trace, *made.headers, *self._headers],
                body=made.body,
                connect_timeout=_CONNECT_SECONDS,
                # Whoever asks knows how long to wait.
                header_timeout=None,
                idle_timeout=None,
                pinned=pinned,
            )
        except UpstreamUnreachable as error:
            raise UpstreamUnreachable(f"the API {self.name!r} cannot be reached", cause=error) from error


def _with(target: str, query: list[tuple[str, str]]) -> str:
    own = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    return target + ("&" if "?" in target else "?") + own if own else target


def _error(code: int, text: str) -> Envelope:
    return Envelope(error=Raw(msgspec.json.encode({"code": code, "message": text})))
