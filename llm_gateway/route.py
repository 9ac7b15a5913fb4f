"""Which targets may answer, in their order. A target that is killed is left out as long as another one is
not.
"""

from llm_gateway.catalog import Model, Target
from shared.account import Flight
from shared.errors import Killed


def route(model: Model, flight: Flight) -> tuple[Target, ...]:
    """Raises Killed when nothing is left. Which of them are healthy is asked when each one's turn comes."""
    if len(model.targets) == 1:
        return model.targets
    alive: list[Target] = []
    refused: Killed | None = None
    for target in model.targets:
        try:
            aim(target, flight)
        except Killed as error:
            refused = error
        else:
            alive.append(target)
    if refused is not None and not alive:
        raise refused
    return tuple(alive)


def aim(target: Target, flight: Flight) -> None:
    """Records who is about to be asked, and asks the kill list about that. Raises Killed."""
    flight.entry.model, flight.entry.provider = target.model, target.provider.name
    flight.check()
