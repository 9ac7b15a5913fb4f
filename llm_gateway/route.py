"""Which targets may answer, and in which order. A target that is killed is left out as long as another one is
not.
"""

import random
from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from llm_gateway.call import Call
from llm_gateway.catalog import Model, Target
from llm_gateway.pin import Pin
from llm_gateway.router.facts import context
from llm_gateway.router.ordered import ordered
from llm_gateway.router.plan import Plan, Routes, plain_plan, routes
from llm_gateway.router.ranking import Draw
from llm_gateway.router.section import CHAT, MAIN, ClassifierSection
from llm_gateway.router.state import State
from llm_gateway.router.task import Chosen, Scorer, Task
from shared.account import Flight
from shared.clock import Clock
from shared.errors import Killed
from shared.ledger.entry import Entry


class Aiming(Protocol):
    """Whoever is about to ask a target: a caller's flight, or a copy of its call."""

    entry: Entry

    def check(self) -> None: ...


class _Way(Struct, frozen=True):
    """One model's routing, compiled. `plan` where there is nothing to choose."""

    routes: Routes
    task: Task | None
    plan: Plan | None


class Router:
    """Knows the routing of `models`; what it needs to choose, it reads from `state` and from `draw`."""

    def __init__(
        self, models: Iterable[Model], state: State, clock: Clock, *, draw: Draw = random.random
    ) -> None:
        self._state = state
        self._clock = clock
        self._draw = draw
        self._ways = {model.name: _way(model, state) for model in models}

    def __call__(self, model: Model, flight: Flight, call: Call) -> Plan:
        """Records why it chose as it did. Raises Killed when nothing is left. Which targets are healthy is
        asked when each one's turn comes.
        """
        way = self._ways.get(model.name) or _way(model, self._state)
        if call.pin is not None:
            return self._tied(way, call.pin, model, flight, call)
        if way.plan is not None:
            return way.plan
        chosen = self._chosen(way, model, flight, call)
        targets = ordered(way.routes, chosen.group, call.ask, flight.entry, self._state, self._draw)
        if chosen.why.startswith("canary"):
            # Who was not asked whether it wants to try something new is not left alone with it.
            targets += way.routes.main
        if chosen.why:
            flight.entry.findings += (f"routed:{chosen.why} to {chosen.group}",)
        return Plan(alive(targets, flight), way.routes)

    def _tied(self, way: _Way, pin: Pin, model: Model, flight: Flight, call: Call) -> Plan:
        """Of those that have what the call names, as the model's routing says, and nobody else."""
        known = way.routes.narrowed(pin.among(way.routes.paid))
        [group, *_] = (name for name in (MAIN, *known.groups) if known.groups.get(name))
        if len(known.model.targets) > 1:
            chosen = self._chosen(way, model, flight, call)
            group = chosen.group if known.groups.get(chosen.group) else group
        targets = ordered(known, group, call.ask, flight.entry, self._state, self._draw)
        return Plan(alive(targets, flight), known)

    def _chosen(self, way: _Way, model: Model, flight: Flight, call: Call) -> Chosen:
        caller = flight.entry.caller
        if way.task is None or caller is None:
            return Chosen(MAIN, "")
        return way.task.choose(context(flight, model, call, self._clock), call, caller)


def route(model: Model, flight: Flight) -> tuple[Target, ...]:
    """The main group as the operator has written it, for calls that no routing is meant for. Raises
    Killed.
    """
    targets = tuple(target for target in model.targets if target.group == MAIN)
    return targets if len(targets) == 1 else alive(targets, flight)


def alive(targets: Sequence[Target], aiming: Aiming) -> tuple[Target, ...]:
    """Those that no kill is meant for. Raises Killed when nothing is left."""
    found: list[Target] = []
    refused: Killed | None = None
    for target in targets:
        try:
            aim(target, aiming)
        except Killed as error:
            refused = error
        else:
            found.append(target)
    if refused is not None and not found:
        raise refused
    return tuple(found)


def aim(target: Target, aiming: Aiming) -> None:
    """Records who is about to be asked, and asks the kill list about that. Raises Killed."""
    aiming.entry.model, aiming.entry.provider = target.model, target.provider.name
    aiming.check()


def _way(model: Model, state: State) -> _Way:
    known, section = routes(model), model.routing
    if section.mirror is not None and CHAT not in section.mirror.endpoints:
        known = known.narrowed(known.paid)
    classifier = _classifier(section.classifier) if section.classifier is not None else None
    tasked = section.rules or classifier or section.canary
    return _Way(
        known,
        Task(section, model.name, classifier) if tasked else None,
        plain_plan(known, state) if known.plain else None,
    )


def _classifier(section: ClassifierSection) -> Scorer:
    # Numpy and the embedding model: only for those who have a classifier.
    from llm_gateway.router.classify import Classifier

    return Classifier(section)
