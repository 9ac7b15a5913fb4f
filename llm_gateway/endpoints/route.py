"""Which targets may answer a call of an endpoint, and in which order: by the model's rules, its canary and
its strategy, among those that have the endpoint. Classifiers are for chats.
"""

import random
from collections.abc import Iterable, Mapping

from llm_gateway.catalog import Model
from llm_gateway.endpoints.as_chat import Inquired
from llm_gateway.endpoints.endpoint import Endpoint, Inquiry
from llm_gateway.pin import Pin
from llm_gateway.route import alive
from llm_gateway.router.facts import context
from llm_gateway.router.ordered import ordered
from llm_gateway.router.plan import Plan, Routes, routes
from llm_gateway.router.section import MAIN
from llm_gateway.router.state import State
from llm_gateway.router.task import Chosen, Task
from shared.account import Flight
from shared.clock import Clock
from shared.errors import BadRequest

_USUAL = Chosen(MAIN, "")


def tasks(models: Iterable[Model]) -> dict[str, Task]:
    """What there is to choose by before any strategy, of the models that have something."""
    return {
        model.name: Task(model.routing, model.name, None)
        for model in models
        if model.routing.rules or model.routing.canary
    }


class EndpointRouter:
    """`state` is apart from that of chats: a target may be good at one of them only."""

    def __init__(self, state: State, tasks: Mapping[str, Task], clock: Clock) -> None:
        self._state = state
        self._tasks = tasks
        self._clock = clock

    def choose(self, endpoint: Endpoint, model: Model, inquiry: Inquiry, flight: Flight) -> Chosen:
        """The group that a call is meant for. A canary is for the endpoints that it has."""
        task, caller = self._tasks.get(model.name), flight.entry.caller
        if task is None or caller is None:
            return _USUAL
        asked = Inquired(endpoint, inquiry)
        chosen = task.choose(context(flight, model, asked, self._clock), asked, caller)
        if chosen.why.startswith("canary"):
            group = [target for target in model.targets if target.group == chosen.group]
            if not any(endpoint.answers(target.provider) for target in group):
                return _USUAL
        return chosen

    def __call__(
        self, endpoint: Endpoint, model: Model, inquiry: Inquiry, flight: Flight, chosen: Chosen, pin: Pin
    ) -> Plan:
        """Records why it chose as it did. Raises Killed, and BadRequest where nobody has this."""
        known = _able(endpoint, routes(model))
        if pin.provider and known.paid:
            known = known.narrowed(pin.among(known.paid))
            [group] = [name for name in (chosen.group, *known.groups) if known.groups.get(name)][:1]
            chosen = chosen if group == chosen.group else Chosen(group, "")
        if not known.groups.get(chosen.group):
            raise BadRequest(
                f"the model {inquiry.model!r} cannot be asked at {flight.exchange.path}: nobody behind it "
                "has that",
                data={"param": "model"},
            )
        targets = ordered(known, chosen.group, inquiry, flight.entry, self._state, random.random)
        if chosen.why:
            flight.entry.findings += (f"routed:{chosen.why} to {chosen.group}",)
        if chosen.why.startswith("canary"):
            # Who was not asked whether it wants to try something new is not left alone with it.
            targets += known.main
        return Plan(alive(targets, flight), known)


def _able(endpoint: Endpoint, known: Routes) -> Routes:
    """Those who have the endpoint, with the mirror where it listens there."""
    mirror = known.section.mirror
    copies = (
        mirror is not None
        and endpoint.name in mirror.endpoints
        and endpoint.answers(known.groups[mirror.to][0].provider)
    )
    able = known.model.targets if copies else known.paid
    return known.narrowed([each for each in able if endpoint.answers(each.provider)], copies=copies)
