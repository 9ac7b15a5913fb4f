"""The targets of one group in the order that the model's strategy wants for this call."""

from llm_gateway.ask import Ask
from llm_gateway.catalog import Model, Target
from llm_gateway.prices import UNKNOWN, cost
from llm_gateway.router.plan import Routes
from llm_gateway.router.ranking import Draw, Standing
from llm_gateway.router.state import SizeClass, State, size_class
from llm_gateway.router.strategies import STRATEGIES
from shared.ledger.entry import Entry, Usage


def ordered(
    known: Routes, group: str, ask: Ask, entry: Entry, state: State, draw: Draw
) -> tuple[Target, ...]:
    """Records why, where there was something to choose."""
    targets, section = known.groups[group], known.section
    if len(targets) == 1 or section.strategy == "order":
        return targets
    size, usage = size_class(ask), _expected(known.model, ask)
    standings = [_standing(target, state, size, usage) for target in targets]
    found = STRATEGIES[section.strategy](standings, draw, section.explore)
    entry.findings += (f"routed:{found.why}",)
    return found.targets


def _standing(target: Target, state: State, size: SizeClass, usage: Usage) -> Standing:
    deployment = state.of(target)
    return Standing(
        target,
        micros=None if target.price is UNKNOWN else cost(target.price, usage),
        in_flight=deployment.in_flight,
        latency=deployment.latency(size),
        availability=deployment.availability,
    )


def _expected(model: Model, ask: Ask) -> Usage:
    """What a call will use at most, as far as its caller has said."""
    tokens_out = ask.tokens_out or model.default_output_tokens
    return Usage(tokens_in=ask.tokens_in, tokens_out=tokens_out, units=ask.units)
