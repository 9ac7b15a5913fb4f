"""The budget of a branch: what one agent, and all that it calls, may use of its chain's budget.

A share is an id and caps in one text, `3f… micros=500 tool_calls=3`, so that a token can carry it. What the
branch has used is counted beside the chain, in the same script.
"""

from collections.abc import Mapping
from functools import lru_cache

from shared.chain import AMOUNTS
from shared.identity.principal import ChainBudget
from shared.ledger.entry import new_id
from shared.limits.rule import LimitRule, Unit

# The unit that each dimension is counted in, and that unit's place among a call's amounts.
_PLACES: Mapping[str, tuple[Unit, int]] = {
    "micros": ("micros", 4),
    "tokens": ("tokens", 1),
    "model_calls": ("requests", 8),
    "tool_calls": ("tool_calls", 5),
    "agent_calls": ("agent_calls", 6),
}
# A chain's total: it goes when the chain is over.
_WINDOW = "C"
_COUNTED_LATER = ("micros", "tokens")


def share_of(left: ChainBudget, share: float) -> str:
    """A new branch with `share` (0 to 1) of what is left; "" where nothing is capped."""
    caps = ((name, getattr(left, name)) for name in AMOUNTS)
    parts = [f"{name}={int(cap * share)}" for name, cap in caps if cap is not None]
    return " ".join((new_id(), *parts)) if parts else ""


def branch_limits(
    shares: tuple[str, ...], amounts: tuple[int, ...]
) -> tuple[list[LimitRule], list[str | int]]:
    """Rules and script arguments (as in `Plan`) of a call with `amounts` that is in these branches."""
    rules: list[LimitRule] = []
    arguments: list[str | int] = []
    makes_calls = any(amounts[place] for place in (5, 6, 8))
    for share in shares:
        identity, caps = _read(share)
        for name, cap in caps:
            unit, place = _PLACES[name]
            if amounts[place] or (makes_calls and name in _COUNTED_LATER):
                rules.append(_rule(name, unit, cap))
                arguments += (f"branch:{identity}:{name}", _WINDOW, place + 1, cap, amounts[place], "")
    return rules, arguments


@lru_cache(maxsize=1024)
def _read(share: str) -> tuple[str, tuple[tuple[str, int], ...]]:
    identity, *parts = share.split(" ")
    pairs = (part.partition("=") for part in parts)
    return identity, tuple((name, int(cap)) for name, _, cap in pairs)


@lru_cache(maxsize=1024)
def _rule(name: str, unit: Unit, cap: int) -> LimitRule:
    """What a refusal is worded from."""
    return LimitRule(
        name=f"{name} of the share that this agent was given",
        per="chain",
        unit=unit,
        amount=cap,
        window="total",
    )
