"""Chains and money, read back from the ledger: one chain as its entries, spend by any dimension."""

import re
import time
from datetime import UTC, datetime

import msgspec

from api_gateway.admin import Answer, Ask, Page
from api_gateway.control import Control
from shared.errors import BadRequest, NotFound
from shared.store import DIMENSIONS, SpendQuery

_AGO = re.compile(r"(\d{1,6})([smhdw])")
_FILTERS = ("team", "project", "principal", "agent", "key", "service", "model", "provider", "server", "tool")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


async def chain(control: Control, ask: Ask) -> Answer:
    """Every entry of a chain, in the order they began."""
    rows = await control.store.chain(ask.names["id"], ask.tenant())
    if not rows:
        raise NotFound(
            f"the ledger knows no chain {ask.names['id']}: is the id whole, and have its calls ended?"
        )
    return 200, {"chain": ask.names["id"], "entries": [msgspec.structs.asdict(row) for row in rows]}


async def spend(control: Control, ask: Ask) -> Answer:
    query = ask.query
    by = tuple(part.strip() for part in query.get("by", "team").split(",") if part.strip())
    unknown = [part for part in by if part not in DIMENSIONS]
    if unknown:
        raise BadRequest(f"by: {unknown[0]!r} is none of {', '.join(DIMENSIONS)}")
    lines = await control.store.spend(
        SpendQuery(
            by=by,
            since_us=moment(query.get("since", "30d"), "since"),
            until_us=moment(query.get("until", "0s"), "until"),
            tenant=ask.tenant(query.get("tenant")),
            **{name: query.get(name, "") for name in _FILTERS},
        )
    )
    return 200, {"by": by, "lines": [msgspec.to_builtins(line) for line in lines]}


def moment(text: str, name: str) -> int:
    """`7d`, `12h` (that long ago) or an ISO date, in microseconds since 1970. Raises BadRequest."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return int((time.time() - int(ago[1]) * _SECONDS[ago[2]]) * 1_000_000)  # noqa: TID251
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequest(f"{name}: {text!r} is neither an ISO date nor like 30m, 12h, 7d, 4w") from error
    return int((stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp() * 1_000_000)


PAGES = (
    Page(method="GET", path="/chains/{id}", area="chains", action="read", call=chain),
    Page(method="GET", path="/spend", area="spend", action="read", call=spend),
)
