"""The admin API under `/admin/api`: what operators run the stack by. JSON in, JSON out; every call
authorised as `admin:<area>`.

A caller of the operators' tenant sees all tenants, everybody else only their own.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta, Struct

from api_gateway.admin.listing import Listed, paged
from api_gateway.control import Control
from api_gateway.regions.elsewhere import is_planes, refuse
from api_gateway.routes import Route
from shared.account import Flight
from shared.approvals import visible
from shared.asgi import Exchange
from shared.egress import NotOpen
from shared.errors import BadRequest, Forbidden, MethodNotAllowed, NotFound
from shared.identity.principal import Caller
from shared.jsonrpc import refuse_duplicates
from shared.ledger.entry import Entry

ROOT = "/admin/api"
# A policy of ten thousand rules has two megabytes.
_BODY_CAP = 8_388_608
# Why, and for whom: every change may be asked with these, and the ledger keeps them.
REASONS = ("reason", "author")
LONGEST_REASON = 500
Reason = Annotated[str, Meta(max_length=LONGEST_REASON)]
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
    """`path` below `/admin/api`, with `{name}` for a segment and `{name:path}` for the rest of it. Policy is
    asked for `admin:<area>` and `action`.

    `query` are the parameters it takes, `body` is what is read, `answer` what comes back with `status`
    (without them: nothing, and any object). What `lists` can be had in pages; what is `conditional` heeds
    `if-match`.
    """

    method: str
    path: str
    area: str
    action: str
    call: Call
    query: tuple[str, ...] = ()
    body: Any = None
    answer: Any = None
    status: int = 200
    lists: Listed | None = None
    conditional: bool = False

    @property
    def address(self) -> str:
        """The whole path."""
        return self.path if self.path.startswith("/admin/") else ROOT + self.path

    @property
    def parameters(self) -> tuple[str, ...]:
        """Every parameter that may stand in the query."""
        pages = (*self.lists.filters, "limit", "cursor") if self.lists is not None else ()
        reasons = REASONS if self.action == "manage" else ()
        return tuple(dict.fromkeys((*self.query, *pages, *reasons)))


class AdminPages:
    """Raises NotFound, MethodNotAllowed."""

    def __init__(self, pages: tuple[Page, ...], control: Control, operator_tenant: str) -> None:
        self.pages = pages
        self._pages = [(re.compile(_pattern(page.address), re.DOTALL), page) for page in pages]
        self._control = control
        self._operator_tenant = operator_tenant

    def match(self, method: str, path: str) -> Route:
        """Raises NotFound, MethodNotAllowed."""
        found = [(match, page) for pattern, page in self._pages if (match := pattern.fullmatch(path))]
        # `/agents/preview` is that page, and no agent's.
        fewest = min((page.path.count("{") for _, page in found), default=0)
        found = [(match, page) for match, page in found if page.path.count("{") == fewest]
        for match, page in found:
            if page.method == method:
                return self._route(page, match.groupdict(), path)
        if found:
            allowed = tuple(sorted({page.method for _, page in found}))
            refusal = MethodNotAllowed(f"{path} takes {', '.join(allowed)}")
            refusal.allowed = allowed
            raise refusal
        raise NotFound(f"there is no admin page {path}")

    def _route(self, page: Page, names: dict[str, str], path: str) -> Route:
        async def endpoint(exchange: Exchange, flight: Flight, caller: Caller) -> None:
            flight.entry.method = visible(f"{page.method} {path.removeprefix(ROOT)}", LONGEST_REASON)
            if is_planes(page.method, page.path, page.area):
                refuse(self._control.plane)
            ask = Ask(
                caller=caller,
                names=names,
                query=_query(exchange, page),
                body=await exchange.body(_BODY_CAP) if exchange.expects_body else b"",
                entry=flight.entry,
                all_tenants=caller.principal.tenant == self._operator_tenant,
                if_match=exchange.header("if-match") or "",
            )
            status, answer = await _called(page, self._control, ask)
            if page.lists is not None:
                answer = paged(answer, page.lists, ask.query)
            _note(ask)
            headers = [(b"content-type", b"application/json")]
            if isinstance(answer, dict) and "etag" in answer:
                headers.append((b"etag", answer["etag"].encode()))
            await exchange.reply(status, headers, msgspec.json.encode(answer))

        return Route(name="admin", resource=f"admin:{page.area}", action=page.action, endpoint=endpoint)


async def _called(page: Page, control: Control, ask: Ask) -> Answer:
    """Those who run the whole stack are told why an address is not called, others only that."""
    try:
        return await page.call(control, ask)
    except NotOpen as error:
        if not ask.all_tenants:
            raise
        raise Forbidden(f"{error.detail}: {error.why}") from error


def _pattern(address: str) -> str:
    """A regular expression for a path with `{name}` and `{name:path}`."""
    whole = re.sub(r"\{(\w+):path\}", r"(?P<\1>.+)", re.sub(r"([.+])", r"\\\1", address))
    return re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", whole)


def _query(exchange: Exchange, page: Page) -> dict[str, str]:
    """Raises BadRequest for what the page does not know: a misspelt filter must not count as none."""
    asked = parse_qs(exchange.query, keep_blank_values=True)
    for name, values in asked.items():
        if name not in page.parameters:
            known = ", ".join(page.parameters) or "nothing"
            raise BadRequest(f"{visible(name)[:40]}: this is not asked by that (known: {known})")
        if len(values) > 1:
            raise BadRequest(f"{name}: stands twice in the query")
        if name in REASONS and len(values[0]) > LONGEST_REASON:
            raise BadRequest(f"{name}: at most {LONGEST_REASON} characters")
    return {name: values[0] for name, values in asked.items()}


def _note(ask: Ask) -> None:
    """Why, and for whom, unless the page itself has said more."""
    reason, author = (visible(ask.query.get(name, ""), LONGEST_REASON) for name in REASONS)
    if (reason or author) and not ask.entry.detail:
        ask.entry.detail = f"{reason} (author: {author})".strip() if author else reason
