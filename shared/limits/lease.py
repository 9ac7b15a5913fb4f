"""What was reserved for one call, and the refusals where that was not possible. Talks to nobody."""

from typing import Literal

from msgspec import Struct

from shared.chain import DIMENSIONS
from shared.errors import BudgetExceeded, LimitExceeded
from shared.limits.plan import Plan
from shared.limits.rule import LimitRule

Shown = Literal["requests", "tokens"]
_UNITS: tuple[Shown, ...] = ("requests", "tokens")
_SHOWN: dict[str, Shown] = {
    "requests": "requests",
    "tokens": "tokens",
    "tokens_in": "tokens",
    "tokens_out": "tokens",
}
_BUSY_SECONDS = 1.0  # nobody knows when a call that is under way will end
_WORDS = {"micros": "micro-dollars", "concurrency": "calls at a time"}


class Left(Struct, frozen=True):
    """`left` of `amount`, and the seconds until it starts anew (None: never)."""

    unit: Shown
    amount: int
    left: int
    reset: int | None


class Lease(Struct, frozen=True, kw_only=True):
    """`counts` are, for each limit of the plan, what is left of it and the seconds until it starts anew (-1:
    never). `reserved` is false for a call that the operator lets pass while nobody can count. `taint` are all
    labels of the chain, if this call added any.
    """

    id: str
    tenant: str
    chain: str
    plan: Plan
    counts: tuple[int, ...] = ()
    reserved: bool = True
    taint: tuple[str, ...] = ()

    def left(self) -> list[Left]:
        """For rate-limit headers: of the tightest limits on requests and on tokens, where there are such."""
        tightest: dict[Shown, Left] = {}
        for rule, left, reset in zip(self.plan.rules, self.counts[::2], self.counts[1::2], strict=False):
            unit = _SHOWN.get(rule.unit)
            if unit is not None and (unit not in tightest or left < tightest[unit].left):
                tightest[unit] = Left(unit, rule.amount, max(0, left), reset if reset >= 0 else None)
        return [tightest[unit] for unit in _UNITS if unit in tightest]


def limit_refusal(rule: LimitRule, *, used: int, need: int, reset: int) -> LimitExceeded:
    """`reset` is in seconds until the window is over, -1 for never."""
    left = max(0, rule.amount - used)
    unit = _WORDS.get(rule.unit, rule.unit.replace("_", " "))
    data = {
        "limit": rule.name,
        "unit": rule.unit,
        "amount": rule.amount,
        "window": rule.window,
        "remaining": left,
    }
    if rule.unit == "concurrency":
        detail = f"limit {rule.name!r}: {rule.amount} {unit} per {rule.per}, and all are under way"
        return LimitExceeded(detail, retry_after=_BUSY_SECONDS, data=data)
    window = "in total" if rule.window == "total" else f"per {rule.window}"
    allowed = f"limit {rule.name!r}: {rule.amount} {unit} {window} for each {rule.per}"
    detail = f"{allowed}; {left} left, this call needs {need}"
    if need > rule.amount:
        return LimitExceeded(f"{detail}, which is more than it will ever allow", data=data)
    if reset < 0:
        return LimitExceeded(f"{detail}; it does not start anew by itself", data=data)
    return LimitExceeded(
        f"{detail}; it starts anew in {reset} s", retry_after=float(reset), data=data | {"reset_s": reset}
    )


def budget_refusal(dimension: int, *, used: int, need: int, cap: int) -> BudgetExceeded:
    """`dimension` counts from 0, in the order of DIMENSIONS."""
    name = DIMENSIONS[dimension]
    data = {"budget": name, "amount": cap, "used": used}
    if name == "seconds":
        return BudgetExceeded(f"this chain may run for {cap} s and began {used} s ago", data=data)
    unit = _WORDS.get(name, name.replace("_", " "))
    return BudgetExceeded(
        f"the budget of this chain is {cap} {unit}: {used} are used or reserved, and this call needs {need}",
        data=data,
    )
