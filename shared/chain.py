"""What one chain has used so far, and what is left of its budget. Read here; counted by `shared/limits`."""

from msgspec import Struct

from shared.identity.principal import ChainBudget

AMOUNTS = ("micros", "tokens", "model_calls", "tool_calls", "agent_calls")
DIMENSIONS = (*AMOUNTS, "seconds")


class ChainState(Struct, frozen=True, kw_only=True):
    """`started` is in microseconds since 1970, 0 for a chain that has not begun or is long over. `budget` is
    the narrowest that was ever presented for the chain. Amounts include what is reserved at the moment.
    """

    micros: int = 0
    tokens: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    agent_calls: int = 0
    started: int = 0
    taint: frozenset[str] = frozenset()
    budget: ChainBudget = ChainBudget()

    def seconds(self, now_us: int) -> int:
        """Whole seconds since the chain's first call."""
        return max(0, now_us - self.started) // 1_000_000 if self.started else 0

    def remaining(self, budget: ChainBudget, now_us: int = 0) -> ChainBudget:
        """What is left of the narrower of `budget` and the chain's own; never less than 0, None is no cap."""
        caps = self.budget.narrowed(budget)
        used = {name: getattr(self, name) for name in AMOUNTS} | {"seconds": self.seconds(now_us)}
        return ChainBudget(**{name: _left(getattr(caps, name), used[name]) for name in DIMENSIONS})


def _left(cap: int | None, used: int) -> int | None:
    return None if cap is None else max(0, cap - used)
