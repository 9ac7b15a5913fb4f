"""What a request takes: one request of every limit that fits, and for a tool's call one of the chain's tool
calls.
"""

from collections.abc import Sequence

from mcp_gateway import methods
from mcp_gateway.ask import Ask
from mcp_gateway.route import Target
from shared.identity.principal import Caller, ChainBudget
from shared.limits.facts import caller_facts
from shared.limits.limiter import Lease, Limiter
from shared.limits.plan import Estimate, plan
from shared.limits.rule import LimitRule
from shared.policy import Grant

# Nothing but tool calls is spent here.
_NOT_COUNTED = ChainBudget()


class Limit:
    """`budget` is what any chain may do as a whole, unless its own budget is narrower."""

    def __init__(self, limiter: Limiter, rules: Sequence[LimitRule], budget: ChainBudget) -> None:
        self._limiter = limiter
        self._rules = rules
        self._budget = budget

    async def __call__(self, grant: Grant, ask: Ask, target: Target | None) -> Lease | None:
        """Raises LimitExceeded, BudgetExceeded, Unavailable. None where nothing is counted: no round trip
        is made.
        """
        tool = target is not None and ask.method.name == "tools/call"
        taint = target.taint if target is not None and not ask.method.completes else ()
        counted = bool(self._rules) and ask.method not in (methods.NOTIFICATION, methods.END_SESSION)
        if not tool and not taint and not counted:
            return None
        caller = grant.caller
        estimate = Estimate(requests=1, tool_calls=int(tool))
        return await self._limiter.reserve(
            plan(self._rules, _facts(caller, target), estimate),
            tenant=caller.principal.tenant,
            chain=caller.chain,
            budget=caller.budget.narrowed(self._budget) if tool else _NOT_COUNTED,
            taint=taint,
        )


def _facts(caller: Caller, target: Target | None) -> dict[str, str]:
    return caller_facts(caller) | {
        "server": target.server if target is not None else "",
        "tool": f"{target.server}/{target.name}" if target is not None and target.kind == "tool" else "",
    }
