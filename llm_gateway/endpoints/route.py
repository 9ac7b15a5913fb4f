"""Which targets may answer a call of an endpoint, and in which order: by the model's strategy, among those
that have the endpoint. Rules, classifiers, canaries and mirrors are for chats.
"""

import random

from llm_gateway.catalog import Model
from llm_gateway.endpoints.endpoint import Endpoint, Inquiry
from llm_gateway.route import alive
from llm_gateway.router.ordered import ordered
from llm_gateway.router.plan import Plan, routes
from llm_gateway.router.section import MAIN
from llm_gateway.router.state import State
from shared.account import Flight
from shared.errors import BadRequest


class EndpointRouter:
    """`state` is apart from that of chats: a target may be good at one of them only."""

    def __init__(self, state: State) -> None:
        self._state = state

    def __call__(self, endpoint: Endpoint, model: Model, inquiry: Inquiry, flight: Flight) -> Plan:
        """Records why it chose as it did. Raises BadRequest where nobody has this, Killed."""
        able = [target for target in model.targets if endpoint.answers(target.provider)]
        known = routes(model).narrowed(able)
        if not known.main:
            raise BadRequest(
                f"the model {inquiry.model!r} cannot be asked at {flight.exchange.path}: nobody behind it "
                "has that",
                data={"param": "model"},
            )
        targets = ordered(known, MAIN, inquiry, flight.entry, self._state, random.random)
        return Plan(alive(targets, flight), known)
