"""A limit as an operator writes it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

Per = Literal[
    "key",
    "user",
    "agent",
    "pair",
    "team",
    "project",
    "tenant",
    "tier",
    "model",
    "provider",
    "tag",
    "tool",
    "route",
    "chain",
]
Unit = Literal[
    "requests", "tokens", "tokens_in", "tokens_out", "micros", "tool_calls", "agent_calls", "concurrency"
]
Window = Literal["second", "minute", "hour", "day", "month", "total"]
# Each unit's place among a call's amounts, and each window as the scripts know it.
PLACES: Mapping[str, int] = {
    "requests": 0,
    "tokens": 1,
    "tokens_in": 2,
    "tokens_out": 3,
    "micros": 4,
    "tool_calls": 5,
    "agent_calls": 6,
    "concurrency": 7,
}
CODES: Mapping[str, str] = {
    "second": "s",
    "minute": "m",
    "hour": "h",
    "day": "d",
    "month": "M",
    "total": "t",
}


class LimitRule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """At most `amount` of `unit` for each subject in each window; windows are calendar-aligned, in UTC.

    `per` is what is counted apart, always within one tenant. Callers without a key, team, project or tier
    share one counter; a rule per agent, pair (the agent that calls and the one that is called), model,
    provider, tag, tool, route or chain leaves calls alone that have none. A call with several tags counts for
    each of them. `match` narrows the rule to calls whose facts
    equal these texts, in which `*` stands for any text. `alerts` are percent of `amount`: when what was
    really used passes one, and when a call is refused for the first time in a window, somebody is told
    (section `alerts`). `micros` is money in millionths of a dollar; `concurrency` knows no window. Rules of
    one name and unit share their counters wherever they are configured: a budget over models and tools is one
    rule that stands in both sections.
    """

    name: str
    per: Per
    unit: Unit
    # Lua counts in doubles, which are exact up to here.
    amount: Annotated[int, Meta(ge=0, le=9_007_199_254_740_991)]
    window: Window = "minute"
    match: dict[str, str] = {}
    on_outage: Literal["refuse", "allow"] = "refuse"
    alerts: tuple[Annotated[int, Meta(ge=1, le=100)], ...] = ()


def problems(rules: Sequence[LimitRule]) -> list[str]:
    """What the types alone cannot see, as `[index].field: problem`."""
    found: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    for place, rule in enumerate(rules):
        first = seen.setdefault((rule.name, rule.unit), place)
        if not rule.name:
            found.append(f"[{place}].name: a limit needs a name, callers are told it when they reach it")
        elif first != place:
            found.append(f"[{place}].name: {rule.name!r} already limits {rule.unit} in [{first}]")
        if rule.alerts and rule.unit == "concurrency":
            found.append(f"[{place}].alerts: calls that are under way are never used up")
    return found
