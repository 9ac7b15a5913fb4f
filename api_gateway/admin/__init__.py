"""The admin API under `/admin/api`: what operators run the stack by. JSON in, JSON out; every call
authorised as `admin:<area>`.

A caller of the operators' tenant sees all tenants, everybody else only their own.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from api_gateway.control import Control
from api_gateway.routes import Route
from shared.account import Flight
from shared.asgi import Exchange
from shared.errors import BadRequest, Forbidden, MethodNotAllowed, NotFound
from shared.identity.principal import Caller
from shared.jsonrpc import refuse_duplicates
from shared.ledger.entry import Entry

# A policy of ten thousand rules has two megabytes.
_BODY_CAP = 8_388_608
Body = TypeVar("Body")


class Ask(Struct, frozen=True, kw_only=True):
    """One admin call: who asks, what the path named, the query, the raw body, and its entry."""

    caller: Caller
    names: dict[str, str]
    query: dict[str, str]
    body: bytes
    entry: Entry
    all_tenants: bool
    if_match: str = ""

    def tenant(self, wanted: str | None = None) -> str | None:
        """The tenant this call is confined to; None is all of them. Raises Forbidden for somebody else's."""
        if self.all_tenants:
            return wanted or None
        own = self.caller.principal.tenant
        if wanted and wanted != own:
            raise Forbidden(f"this credential administers the tenant {own} only")
        return own

    def read(self, kind: type[Body]) -> Body:
        """The body as `kind`. Raises BadRequest with the place of the first mistake."""
        refuse_duplicates(self.body)
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise BadRequest(f"the body does not fit: {error}", cause=error) from error


Answer = tuple[int, Any]
Call = Callable[[Control, Ask], Awaitable[Answer]]


class Page(Struct, frozen=True, kw_only=True):
    """`path` below `/admin/api`, with `{name}` for a segment. Policy is asked for `admin:<area>` and
    `action`.
    """

    method: str
    path: str
    area: str
    action: str
    call: Call


class AdminPages:
    def __init__(self, pages: tuple[Page, ...], control: Control, operator_tenant: str) -> None:
        self._pages = [
            (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", page.path)), page) for page in pages
        ]
        self._control = control
        self._operator_tenant = operator_tenant

    def match(self, method: str, path: str) -> Route:
        """Raises NotFound, MethodNotAllowed."""
        below = path.removeprefix("/admin/api")
        found = [(match, page) for pattern, page in self._pages if (match := pattern.fullmatch(below))]
        for match, page in found:
            if page.method == method:
                return self._route(page, match.groupdict())
        if found and below != path:
            raise MethodNotAllowed(f"{path} takes {', '.join(sorted({page.method for _, page in found}))}")
        raise NotFound(f"there is no admin page {path}")

    def _route(self, page: Page, names: dict[str, str]) -> Route:
        async def endpoint(exchange: Exchange, flight: Flight, caller: Caller) -> None:
            ask = Ask(
                caller=caller,
                names=names,
                query={name: values[-1] for name, values in parse_qs(exchange.query).items()},
                body=await exchange.body(_BODY_CAP) if exchange.expects_body else b"",
                entry=flight.entry,
                all_tenants=caller.principal.tenant == self._operator_tenant,
                if_match=exchange.header("if-match") or "",
            )
            status, answer = await page.call(self._control, ask)
            headers = [(b"content-type", b"application/json")]
            if isinstance(answer, dict) and "etag" in answer:
                headers.append((b"etag", answer["etag"].encode()))
            await exchange.reply(status, headers, msgspec.json.encode(answer))

        return Route(name="admin", resource=f"admin:{page.area}", action=page.action, endpoint=endpoint)
