"""The addresses that a browser comes to on the way to a consent: the page that asks, the way back from the
authorization server, and what the gateway says of itself there. They need no credential: a link stands for
whoever asked for it, and a cookie keeps the way from being finished in another browser than it was begun in.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import msgspec
from starlette.routing import Route

from mcp_gateway.consent_page import PageErrors, done, page_headers, question
from mcp_gateway.credentials.consents import PAGE, Asked, Consents
from mcp_gateway.credentials.registration import CALLBACK, DOCUMENT
from shared.account import Account, Flight
from shared.asgi import Exchange, Receive, Scope, Send
from shared.errors import BadRequest, Forbidden, NotFound
from shared.identity.principal import Caller, Principal
from shared.ledger.entry import new_id

_CAP = 8192
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_FIELDS = 20
Page = Callable[[Exchange, Flight], Awaitable[None]]


class ConsentPages:
    def __init__(self, account: Account, consents: Consents, public_url: str) -> None:
        self._account = account
        self._consents = consents
        self._origin = public_url
        # A name that browsers take from nobody but this very host, where there is https to know it by.
        secure = public_url.startswith("https://")
        self._cookie = "__Host-gatestack-consent" if secure else "gatestack-consent"
        self._attributes = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")

    def routes(self) -> list[Route]:
        return [
            Route(PAGE, endpoint=_Endpoint(self._account, self._show), methods=["GET"]),
            Route(PAGE, endpoint=_Endpoint(self._account, self._confirm), methods=["POST"]),
            Route(CALLBACK + "/{server}", endpoint=_Endpoint(self._account, self._back), methods=["GET"]),
            Route(DOCUMENT + "/{server}", endpoint=_Endpoint(self._account, self._describe), methods=["GET"]),
        ]

    async def _show(self, exchange: Exchange, flight: Flight) -> None:
        link = _one(_query(exchange), "link")
        asked = await self._consents.asked(link)
        _enter(flight, asked)
        found, scopes = await self._consents.found(asked)
        browser = self._browser(exchange) or secrets.token_urlsafe(32)
        facts = {
            "Server": f"{asked.server} ({_host(self._consents.places[asked.server].place.url)})",
            "Sign in at": _host(found.server.authorization_endpoint),
            "Access to": " ".join(scopes) or "whatever it gives by default",
            "For": f"{asked.owner[1]} (tenant {asked.owner[0]})",
            "Asked by": " → ".join(asked.owner[2:]),
            "Good until": datetime.fromtimestamp(asked.until, UTC).strftime("%H:%M UTC"),
        }
        fields = {"link": link, "page": _page_of(browser, link)}
        cookie = f"{self._cookie}={browser}{self._attributes}"
        headers = page_headers(found.server.authorization_endpoint)
        await exchange.reply(
            200, [*headers, (b"set-cookie", cookie.encode())], question(facts, asked.owner[1], fields)
        )

    async def _confirm(self, exchange: Exchange, flight: Flight) -> None:
        form = _fields((await exchange.body(_CAP)).decode("ascii", "replace"))
        link, browser = _one(form, "link"), self._browser(exchange)
        origin = exchange.header("origin")
        ours = hmac.compare_digest(_one(form, "page").encode(), _page_of(browser, link).encode())
        if not browser or not ours or (origin is not None and origin != self._origin):
            # Another page sent this form; what it wants confirmed nobody has read.
            raise Forbidden("this was not confirmed on our own page, or this browser keeps no cookies")
        _enter(flight, await self._consents.asked(link))
        onward = await self._consents.begin(link, browser)
        await exchange.reply(303, [*page_headers(onward), (b"location", onward.encode())])

    async def _back(self, exchange: Exchange, flight: Flight) -> None:
        query, server = _query(exchange), exchange.path_params["server"]
        begun = await self._consents.way(_one(query, "state"), server, self._browser(exchange))
        _enter(flight, begun.asked)
        issuer = _one(query, "iss") if "iss" in query else None
        if "error" in query:
            raise Forbidden("the authorization server says that access was not allowed")
        await self._consents.finish(begun, code=_one(query, "code"), issuer=issuer)
        flight.entry.detail = f"{begun.asked.owner[1]} connected to {server}"
        await exchange.reply(200, page_headers(), done(server, begun.asked.owner[1]))

    async def _describe(self, exchange: Exchange, flight: Flight) -> None:
        credential = self._consents.places.get(exchange.path_params["server"])
        if credential is None:
            raise NotFound(f"nothing is served at {exchange.path}")
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"public, max-age=300")]
        await exchange.reply(200, headers, msgspec.json.encode(credential.place.registration.document()))

    def _browser(self, exchange: Exchange) -> str:
        """What this browser was given to keep; "" where it has nothing of ours, or two of it."""
        pairs = [part.strip() for name, part in _cookies(exchange)]
        found = [text.partition("=")[2] for text in pairs if text.partition("=")[0] == self._cookie]
        return found[0] if len(found) == 1 and _TOKEN.fullmatch(found[0]) else ""


class _Endpoint:
    """One page, inside the frame that every request has."""

    def __init__(self, account: Account, page: Page) -> None:
        self._account = account
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, PageErrors()) as flight:
            await self._page(exchange, flight)


def _enter(flight: Flight, asked: Asked) -> None:
    """Records for whom this is, and asks the kill list about them. Raises Killed."""
    tenant, sub, *actors = asked.owner
    flight.entry.resource, flight.entry.action = f"tool:{asked.server}/*", "connect"
    flight.entry.server = asked.server
    principal = Principal(sub=sub, tenant=tenant)
    flight.identify(Caller(principal=principal, actors=tuple(actors), chain=new_id(), credential="link"))


def _page_of(browser: str, link: str) -> str:
    """What only a page that this very browser was shown can send back."""
    return hashlib.sha256(f"consent page {browser} {link}".encode()).hexdigest()


def _cookies(exchange: Exchange) -> list[tuple[bytes, str]]:
    values = [(name, value.decode("latin-1")) for name, value in exchange.headers if name == b"cookie"]
    return [(name, part) for name, value in values for part in value.split(";")]


def _query(exchange: Exchange) -> dict[str, list[str]]:
    return _fields(exchange.query)


def _fields(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError as error:
        raise BadRequest("this is no form that can be read", cause=error) from error


def _one(fields: dict[str, list[str]], name: str) -> str:
    values = fields.get(name, [""])
    if len(values) > 1:
        raise BadRequest(f"{name} stands more than once")
    return values[0]


def _host(url: str) -> str:
    return urlsplit(url).netloc
