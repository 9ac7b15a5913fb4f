"""The governed way to what a provider has and this gateway does not model: any path of its own, with the
gateway's credential there, and without anybody getting to see that.

It reaches everything that the operator's account can do there, so it is closed unless configuration opens a
provider and policy lets the caller `manage` it.
"""

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, unquote, urlencode

from llm_gateway.catalog import Catalog
from llm_gateway.config import Section
from llm_gateway.endpoints.admit import Admit
from llm_gateway.endpoints.errand import Errand
from llm_gateway.endpoints.redact import redacted
from llm_gateway.endpoints.relay import CutOnceStarted, length_of, stream_bytes
from llm_gateway.endpoints.settings import PassthroughSection
from llm_gateway.endpoints.upstream import Body, Upstream, refusal
from llm_gateway.providers import Provider
from llm_gateway.providers.keys import secrets_of
from shared import sse
from shared.account import Flight
from shared.asgi import Exchange, Headers
from shared.dialects.openai import rate_headers
from shared.errors import (
    BadRequest,
    ClientGone,
    GatestackError,
    MethodNotAllowed,
    NotFound,
    UpstreamBroken,
    UpstreamFault,
)
from shared.http_client import Reply
from shared.limits.plan import Estimate
from shared.policy import Grant

PREFIX = "/v1/passthrough/"
PATH = PREFIX + "{provider}/{rest:path}"
RESOURCE = "route:llm/passthrough/"
ACTION = "manage"

# What two readers of one path may read differently.
_AMBIGUOUS = ("%2f", "%5c", "%00", "%2e", "%25", "\\", "//", ";", "#", "\x00")
_PATH_LENGTH, _NOTE_LENGTH = 2_048, 300
# Bodies up to here are read before they are sent on: a provider that signs its requests has to see them.
_SMALL_BODY = 1_048_576
_PASSED = frozenset(
    (
        b"accept",
        b"content-type",
        b"range",
        b"if-match",
        b"if-none-match",
        b"if-modified-since",
        b"openai-beta",
        b"anthropic-beta",
        b"anthropic-version",
    )
)
_SHOWN = frozenset(
    (
        b"content-type",
        b"content-disposition",
        b"content-range",
        b"accept-ranges",
        b"etag",
        b"last-modified",
        b"cache-control",
        b"retry-after",
        b"x-request-id",
        b"request-id",
        b"openai-processing-ms",
        b"openai-version",
    )
)
# Where callers put credentials into addresses.
_CREDENTIALS = frozenset(("key", "api_key", "api-key", "apikey", "access_token", "token"))
_NOT_FOUND = "there is nothing at this path"
_NOT_MODIFIED = 304


class Passthrough:
    def __init__(self, section: Section, admit: Admit, catalog: Catalog, upstream: Upstream) -> None:
        self._settings = section.endpoints
        self._admit = admit
        self._catalog = catalog
        self._upstream = upstream

    def find(self, exchange: Exchange) -> Errand:
        name, path = _split(exchange)
        opened = self._settings.passthrough.get(name)
        if opened is None:
            raise NotFound(_NOT_FOUND)
        if exchange.method not in opened.methods:
            raise MethodNotAllowed(f"{PREFIX}{name} takes {', '.join(opened.methods)}")
        provider = self._catalog.providers[name]

        async def run(exchange: Exchange, flight: Flight, grant: Grant) -> None:
            await self._relay(exchange, flight, grant, provider, opened, path)

        return Errand(
            resource=RESOURCE + name,
            action=ACTION,
            run=run,
            reserves=True,
            provider=name,
            hidden=_NOT_FOUND,
            note=f"{exchange.method} {path}"[:_NOTE_LENGTH],
        )

    async def _relay(
        self,
        exchange: Exchange,
        flight: Flight,
        grant: Grant,
        provider: Provider,
        opened: PassthroughSection,
        path: str,
    ) -> None:
        # It may well call a model: a chain that may call none any more cannot do it this way either.
        flight.lease = await self._admit.reserve(flight, grant, Estimate(requests=1, model_calls=1))
        exchange.stamps += rate_headers(flight.lease)
        body = _Body(exchange, self._settings.max_file_bytes)
        base = opened.base_url or provider.section.base_url
        address = base.rstrip("/") + path + _query(exchange.query)
        passed = _passed(exchange.headers, opened.headers)
        flight.entry.attempts += 1
        try:
            reply = await self._upstream.send(
                provider,
                exchange.method,
                address,
                body=await body.whole_or_stream(),
                content_type=(exchange.header("content-type") or "").encode("latin-1"),
                passed=passed,
            )
        except UpstreamFault:
            if body.failure is not None:
                raise body.failure from None
            raise
        async with reply:
            await _answer(exchange, flight, provider, reply)


class _Body:
    """A caller's body, small or on its way. `failure` is what ended it on the caller's side."""

    def __init__(self, exchange: Exchange, cap: int) -> None:
        self.failure: Exception | None = None
        self._exchange = exchange
        self._cap = cap

    async def whole_or_stream(self) -> Body:
        exchange = self._exchange
        if not exchange.expects_body:
            return b""
        exchange.refuse_announced(self._cap)
        length = exchange.header("content-length")
        if length is not None and exchange.header("transfer-encoding") is not None:
            raise BadRequest("this request has both content-length and transfer-encoding: send one of them")
        if length is not None and length.isdigit() and int(length) <= _SMALL_BODY:
            return await exchange.body(self._cap)
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._exchange.chunks(self._cap):
                yield chunk
        except (GatestackError, ClientGone) as error:
            self.failure = error
            raise


def _split(exchange: Exchange) -> tuple[str, str]:
    """The provider's name and the path at its place, as it was written. Raises BadRequest where a path could
    be read in two ways, or lead out of its place.
    """
    raw = (exchange.scope.get("raw_path") or exchange.path.encode()).decode("latin-1").partition("?")[0]
    low = raw.lower()
    if not raw.startswith(PREFIX) or len(raw) > _PATH_LENGTH:
        raise BadRequest(f"write the beginning of this path as it is: {PREFIX}")
    name, slash, rest = raw.removeprefix(PREFIX).partition("/")
    if any(part in low or part in exchange.path for part in _AMBIGUOUS):
        raise BadRequest("this path has dots, slashes or separators in disguise: send it resolved")
    if any(segment in (".", "..") for segment in unquote(rest).split("/")) or not raw.isascii():
        raise BadRequest("this path has dot segments or bare bytes: send it resolved and escaped")
    if not all("!" <= character <= "~" for character in unquote(raw, "latin-1") if character < "\x80"):
        raise BadRequest("this path has white space or control characters")
    return unquote(name), slash + rest


def _query(query: str) -> str:
    """The query without what looks like a credential."""
    if "#" in query or not query:
        return ""
    pairs = parse_qsl(query, keep_blank_values=True, encoding="latin-1")
    kept = [(name, value) for name, value in pairs if name.lower() not in _CREDENTIALS]
    return "?" + urlencode(kept, encoding="latin-1") if kept else ""


def _passed(headers: Headers, more: tuple[str, ...]) -> Headers:
    names = _PASSED | {name.lower().encode() for name in more}
    return [header for header in headers if header[0] in names and header[0] != b"content-type"]


async def _answer(exchange: Exchange, flight: Flight, provider: Provider, reply: Reply) -> None:
    if reply.status in (401, 407):
        # It is our credential that it does not like, and it may say which one.
        raise await refusal(provider, reply)
    if 300 <= reply.status < 400 and reply.status != _NOT_MODIFIED:
        raise UpstreamBroken("the provider answered with a redirect, which is not followed")
    if (reply.header("content-encoding") or "identity").lower() != "identity":
        raise UpstreamBroken("the provider's answer is compressed, which was not asked for")
    secrets = secrets_of(provider.section)
    headers = [(name, _clean(value, secrets)) for name, value in reply.headers if name in _SHOWN]
    if not (reply.header("content-type") or "").startswith("text/event-stream"):
        flight.dialect = CutOnceStarted(flight.dialect)
    else:
        headers += [header for header in sse.HEADERS if header[0] not in (b"content-type", b"cache-control")]
    length = length_of(reply)
    bodiless = exchange.method == "HEAD" or reply.status in (204, _NOT_MODIFIED)
    if length is not None and not bodiless:
        headers.append((b"content-length", str(length).encode()))
    await exchange.start(reply.status, headers)
    await stream_bytes(exchange, redacted(reply.chunks(), secrets), length, lambda: None)


def _clean(value: bytes, secrets: list[bytes]) -> bytes:
    for secret in secrets:
        value = value.replace(secret, b"***")
    return value
