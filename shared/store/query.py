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
    "day",
]
DIMENSIONS: tuple[str, ...] = get_args(Dimension)


class SpendQuery(Struct, frozen=True, kw_only=True):
    """Spend grouped `by` dimensions over `since_us <= start < until_us` (None: no end).

    `tenant` is exact. Every other filter may hold `*` and `?`; "" filters nothing. `agent` is whoever acted
    last in the chain, `day` is a UTC date.
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
    `*` and `?`; "" filters nothing."""

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
    limit: int = 100
