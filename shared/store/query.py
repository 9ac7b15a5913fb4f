"""What may be asked of the ledger's rows, and what comes back.

`tenant` has no default anywhere: whoever asks says which tenant, or None for all of them.
"""

from typing import Literal, get_args

from msgspec import Struct

Dimension = Literal[
    "tenant",
    "team",
    "project",
    "principal",
    "agent",
    "key",
    "service",
    "model",
    "provider",
    "server",
    "tool",
    "hour",
    "day",
    "month",
]
DIMENSIONS: tuple[str, ...] = get_args(Dimension)


class SpendQuery(Struct, frozen=True, kw_only=True):
    """Spend grouped `by` dimensions over `since_us <= start < until_us` (None: no end).

    `tenant` is exact. Every other filter may hold `*` and `?`; "" filters nothing. `agent` is whoever acted
    last in the chain; `hour`, `day` and `month` are UTC.
    """

    by: tuple[str, ...] = ()
    tenant: str | None
    since_us: int = 0
    until_us: int | None = None
    tenants: str = ""
    team: str = ""
    project: str = ""
    principal: str = ""
    agent: str = ""
    key: str = ""
    service: str = ""
    model: str = ""
    provider: str = ""
    server: str = ""
    tool: str = ""


class SpendLine(Struct, frozen=True):
    """`group` maps each dimension asked for to its value. Money in micro-dollars."""

    group: dict[str, str]
    calls: int
    tokens_in: int
    tokens_out: int
    cost_micros: int


class EntryFilter(Struct, frozen=True, kw_only=True):
    """Which rows, newest first. `who` is the chain's principal or whoever acted. The texts but `who` may hold
    `*` and `?`; "" filters nothing. `decided` leaves out what policy was never asked about; `below` goes on
    behind the last row of the page before: its start and id.
    """

    tenant: str | None
    chain: str = ""
    who: str = ""
    key: str = ""
    service: str = ""
    outcome: str = ""
    resource: str = ""
    model: str = ""
    tool: str = ""
    since_us: int = 0
    until_us: int | None = None
    decided: bool = False
    below: tuple[int, str] | None = None
    limit: int = 100


ChainOrder = Literal["cost", "time", "calls"]


class ChainFilter(Struct, frozen=True, kw_only=True):
    """Which chains, and in which order: the costliest, the newest or the busiest first.

    `principal`, `team`, `project` and `key` are the origin's; the texts from `agent` on have to be met by
    some call of the chain. All may hold `*` and `?`. `over_micros` is what it cost at least in the period.
    """

    tenant: str | None
    principal: str = ""
    team: str = ""
    project: str = ""
    key: str = ""
    agent: str = ""
    model: str = ""
    server: str = ""
    tool: str = ""
    outcome: str = ""
    decision: str = ""
    over_micros: int = 0
    since_us: int = 0
    until_us: int | None = None
    order: ChainOrder = "cost"
    limit: int = 100


class ChainLine(Struct, frozen=True):
    """One chain as far as it lies in the period. `refused` calls were denied by policy, `unfinished` ones did
    not end well for another reason."""

    chain: str
    tenant: str
    principal: str
    team: str
    project: str
    started_at: int
    last_at: int
    calls: int
    refused: int
    unfinished: int
    tokens_in: int
    tokens_out: int
    cost_micros: int
