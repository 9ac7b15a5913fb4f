"""Chains, read back from the ledger: one as its entries, many as a line each."""

import re
from typing import get_args

import msgspec

from api_gateway.admin import Answer, Ask, Page
from api_gateway.admin.listing import limit_of
from api_gateway.admin.period import period
from api_gateway.chain_flags import flags
from api_gateway.control import Control
from shared.errors import BadRequest, NotFound
from shared.store import ChainFilter
from shared.store.query import ChainOrder

_FILTERS = (
    "principal", "team", "project", "key", "agent", "model", "server", "tool", "outcome", "decision",
)  # fmt: skip
_KNOWN = (*_FILTERS, "tenant", "since", "until", "over_cost", "order", "limit")
_MONEY = re.compile(r"\$?([0-9]{1,9}(?:\.[0-9]{1,6})?)")


async def chain(control: Control, ask: Ask) -> Answer:
    """Every entry of a chain, in the order they began, and what is odd about them."""
    rows = await control.store.chain(ask.names["id"], ask.tenant())
    if not rows:
        raise NotFound(
            f"the ledger knows no chain {ask.names['id']}: is the id whole, and have its calls ended?"
        )
    odd = [msgspec.structs.asdict(flag) for flag in flags(rows)]
    entries = [msgspec.structs.asdict(row) for row in rows]
    return 200, {"chain": ask.names["id"], "entries": entries, "flags": odd}


async def listing(control: Control, ask: Ask) -> Answer:
    """The chains that answer to the filters, each with what it did and cost in the period."""
    query = ask.query
    order = query.get("order", "cost")
    if order not in get_args(ChainOrder):
        raise BadRequest(f"order: {order[:40]!r} is none of {', '.join(get_args(ChainOrder))}")
    asked = period(query.get("since", "1d"), query.get("until", ""), control.now_us())
    lines = await control.store.chains(
        ChainFilter(
            tenant=ask.tenant(query.get("tenant")),
            over_micros=micros(query.get("over_cost", "0"), "over_cost"),
            since_us=asked.since,
            until_us=asked.until,
            order=order,  # type: ignore[arg-type]
            limit=limit_of(query, 100),
            **{name: query.get(name, "") for name in _FILTERS},
        )
    )
    return 200, {"since": asked.since, "until": asked.until, "chains": lines}


def micros(text: str, name: str) -> int:
    """Dollars as whole micro-dollars. Raises BadRequest."""
    match = _MONEY.fullmatch(text.strip())
    if match is None:
        raise BadRequest(f"{name}: {text[:40]!r} is no amount of dollars like 0.50")
    whole, _, part = match[1].partition(".")
    return int(whole) * 1_000_000 + int(part.ljust(6, "0") or 0)


PAGES = (
    Page(method="GET", path="/chains", area="chains", action="read", call=listing, query=_KNOWN),
    Page(method="GET", path="/chains/{id}", area="chains", action="read", call=chain),
)
