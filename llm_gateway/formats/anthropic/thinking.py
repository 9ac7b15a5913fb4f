"""How much a model may think: Anthropic's `thinking` and `output_config.effort` as the neutral Reasoning and
back.

It gives budgets, others give levels; this table is what one is in the other.
"""

from typing import Any

from msgspec import Struct

from llm_gateway.chat.request import Effort, Reasoning

Member = dict[str, Any]

LEAST = 1_024
# Together with an answer, the largest stays within 32,000: what every model that thinks can do.
_BUDGETS: dict[Effort, int] = {
    "minimal": LEAST,
    "low": 2_048,
    "medium": 8_192,
    "high": 16_384,
    "xhigh": 24_576,
    "max": 27_904,
}
_EFFORTS = frozenset(("low", "medium", "high", "xhigh", "max"))


class Allowance(Struct, frozen=True):
    """What a request says: `thinking`, the `effort` and the `max_tokens` that leave room for both thoughts
    and answer.
    """

    max_tokens: int
    thinking: Member | None = None
    effort: str = ""


def effort_of(budget: int) -> Effort:
    """The least effort that has this budget."""
    if budget <= 0:
        return "none"
    return next((effort for effort, most in _BUDGETS.items() if budget <= most), "max")


def read_reasoning(thinking: Member | None, effort: Effort | None) -> Reasoning | None:
    """None where both are silent. `show` together with no budget is what tells adaptive thinking."""
    kind = thinking.get("type") if thinking is not None else None
    if thinking is None or kind not in ("enabled", "adaptive", "disabled"):
        return Reasoning(effort=effort) if effort is not None else None
    if kind == "disabled":
        return Reasoning(effort="none")
    display = thinking.get("display")
    if kind == "adaptive":
        return Reasoning(effort=effort, show=display != "omitted")
    show = None if display is None else display != "omitted"
    budget = thinking["budget_tokens"]
    return Reasoning(effort=effort, budget=budget, show=show)


def own(reasoning: Reasoning | None, max_tokens: int) -> Allowance:
    """For a caller that spoke of it in Anthropic's own words: as it said it, fit or not."""
    if reasoning is None:
        return Allowance(max_tokens)
    effort = reasoning.effort if reasoning.effort in _EFFORTS else ""
    if reasoning.budget is not None:
        return Allowance(max_tokens, _enabled(reasoning.budget, reasoning.show), effort or "")
    if reasoning.effort == "none":
        return Allowance(max_tokens, {"type": "disabled"})
    if reasoning.show is None:
        return Allowance(max_tokens, None, effort or "")
    return Allowance(max_tokens, _adaptive(reasoning.show), effort or "")


def translated(
    reasoning: Reasoning | None, max_tokens: int | None, default: int, *, adaptive: bool
) -> Allowance | None:
    """For a caller that spoke of it in other words. None where it leaves too few tokens to think at all.

    `adaptive`: the models take a level and find their own budget.
    """
    asked = _budget(reasoning)
    if reasoning is None or asked == 0:
        return Allowance(max_tokens or default)
    if adaptive:
        effort = reasoning.effort or effort_of(asked)
        level = "low" if effort == "minimal" else effort
        return Allowance(max_tokens or default + asked, _adaptive(reasoning.show is not False), level)
    hidden = False if reasoning.show is False else None
    if max_tokens is None:
        return Allowance(default + asked, _enabled(asked, hidden))
    if max_tokens <= LEAST:
        return None
    # The caller's maximum is for thoughts and answer together: a fifth of it stays for the answer.
    budget = min(asked, max(LEAST, max_tokens * 4 // 5))
    return Allowance(max_tokens, _enabled(budget, hidden))


def _budget(reasoning: Reasoning | None) -> int:
    if reasoning is None or reasoning.effort == "none" or reasoning.budget == 0:
        return 0
    if reasoning.budget is not None and reasoning.budget > 0:
        return max(LEAST, reasoning.budget)
    return _BUDGETS[reasoning.effort or "medium"]


def _enabled(budget: int, show: bool | None) -> Member:
    told: Member = {"type": "enabled", "budget_tokens": budget}
    return told if show is None else {**told, "display": "summarized" if show else "omitted"}


def _adaptive(show: bool) -> Member:
    return {"type": "adaptive", "display": "summarized" if show else "omitted"}
