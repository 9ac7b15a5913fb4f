"""What is refused for what it is: pages of other origins, and calls that the tool itself did not ask for."""

import re
from urllib.parse import urlsplit

from mcp_gateway import mirrors
from mcp_gateway.ask import Ask
from mcp_gateway.catalog import Catalog
from mcp_gateway.items import DESTRUCTIVE, Item
from mcp_gateway.route import Target
from shared import jsonrpc
from shared.account import Flight
from shared.asgi import Exchange
from shared.dialects.mcp import HEADER_MISMATCH
from shared.errors import BadRequest, Forbidden, NotFound

_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")


def refuse_foreign(exchange: Exchange, allowed: frozenset[str], hosts: frozenset[str]) -> None:
    """Raises Forbidden for a page that is not known: its browser may have been led here by a name that it
    controls.
    """
    if hosts and exchange.header("host") not in hosts:
        raise Forbidden("this host name does not lead here; an operator can add it to allowed_hosts")
    origin = exchange.header("origin")
    if origin is None or origin in allowed or "*" in allowed:
        return
    if not _is_local(origin):
        raise Forbidden("pages of this origin may not call here; an operator can add it to allowed_origins")


async def check(
    ask: Ask, target: Target | None, catalog: Catalog, exchange: Exchange, flight: Flight
) -> Item | None:
    """The item that is called, once the arguments are known to be what it asks for. Raises BadRequest,
    NotFound.
    """
    if target is None or ask.named is None or ask.method.does == "pass":
        return None
    item = await catalog.find(target.server, target.kind, target.name)
    held = (await catalog.listing(target.server)).held.get((target.kind, target.name))
    found = held.findings if held is not None else item.findings if item is not None else ()
    flight.entry.findings = (*flight.entry.findings, *found)
    if target.kind == "resource" and held is None:
        # Servers make up resources as they go, so that only they can say which exist.
        return item
    # One that has come to be destructive since policy was asked about it is unknown, until it is asked again.
    if item is None or (item.destructive and DESTRUCTIVE not in target.labels):
        raise NotFound(f"there is no {target.kind} {ask.named.name[:200]!r}")
    if ask.method.name == "tools/call":
        _check_arguments(item, ask, exchange)
    return item


def _check_arguments(item: Item, ask: Ask, exchange: Exchange) -> None:
    given = ask.named.arguments if ask.named is not None else {}
    problem = item.arguments.problem(given)
    if problem is not None:
        raise BadRequest(f"the tool does not take these arguments: {problem}", code=jsonrpc.INVALID_PARAMS)
    if ask.era.stateless and item.arguments.mirrors and not ask.wrapped:
        wanted = {name for _, name in item.arguments.mirrors}
        sent = {name: value for name in wanted if (value := _header(exchange, name)) is not None}
        wrong = mirrors.mismatch(item.arguments.mirrors, given, sent)
        if wrong is not None:
            raise BadRequest(f"the header {wrong} does not say what the arguments say", code=HEADER_MISMATCH)


def _header(exchange: Exchange, name: str) -> str | None:
    try:
        return exchange.header(name)
    except BadRequest as error:
        raise BadRequest(error.detail, code=HEADER_MISMATCH) from error


def _is_local(origin: str) -> bool:
    try:
        return bool(_LOOPBACK.fullmatch(urlsplit(origin).hostname or ""))
    except ValueError:
        return False
