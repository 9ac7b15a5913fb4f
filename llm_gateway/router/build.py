"""Makes the router's parts for one process, and keeps those alive that run beside calls."""

import contextlib
import random
from collections.abc import AsyncIterator

from llm_gateway.catalog import Catalog
from llm_gateway.config import Section
from llm_gateway.forward import Forward
from llm_gateway.route import Router
from llm_gateway.router.mirror import Mirrors
from llm_gateway.router.probe import Probes
from llm_gateway.router.retry import RetryBudget
from llm_gateway.router.state import Shown, State
from shared.background import cancelled, owned
from shared.identity.hand_back import HandBack
from shared.parts import Parts


class Routing:
    """`route` and `forward` are the stages of chats, `budget` is for the retries of all calls and `mirrors`
    for copies of all of them, None where no model has a mirror; `state()` is for the operator's page.
    """

    def __init__(self, section: Section, catalog: Catalog, parts: Parts) -> None:
        models = {model.name: model for _, model in catalog.items()}
        self._parts = parts
        self._rule = section.router.breaker
        self._state = State(parts.clock, self._rule)
        self._beside: dict[str, State] = {}
        self.budget = RetryBudget(section.router.retry_budget, parts.clock)
        self._mirrors = Mirrors(parts.ledger, parts.kill, parts.clock, draw=random.random)
        mirrored = any(model.routing.mirror for model in models.values())
        self.mirrors = self._mirrors if mirrored else None
        self._probes: Probes | None = None
        if (probes := section.router.probes) is not None:
            asked = [model for model in models.values() if not probes.models or model.name in probes.models]
            targets = [target for model in asked for target in model.targets]
            self._probes = Probes(probes, targets, self._state, parts.http, parts.redis, random.random)
        self.route = Router(models.values(), self._state, parts.clock)
        self.forward = Forward(
            parts.http,
            self._state,
            self.budget,
            parts.clock,
            max_reply_bytes=section.max_reply_bytes,
            mirrors=self.mirrors,
            hand_back=HandBack(parts.signer),
        )
        gauges = parts.telemetry.gauges
        gauges["gatestack_deployments_shut"] = lambda: sum(
            state.shut() for state in (self._state, *self._beside.values())
        )
        gauges["gatestack_models_changed"] = self._state.changed
        gauges["gatestack_retries_left"] = lambda: round(self.budget.left, 1)
        gauges["gatestack_mirrors_in_flight"] = lambda: self._mirrors.in_flight

    def beside(self, endpoint: str) -> State:
        """What is known of deployments at an endpoint next to chat: a target may be good at one of them
        only.
        """
        return self._beside.setdefault(endpoint, State(self._parts.clock, self._rule))

    def state(self) -> list[Shown]:
        """Every deployment as it stands in this process."""
        return self._state.state()

    @contextlib.asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """Probes deployments where that is configured; ends what is still being mirrored."""
        running = None
        if self._probes is not None:
            running = owned(self._probes.run(), "probes", self._parts.failed)
        try:
            yield
        finally:
            if running is not None:
                await cancelled(running)
            await self._mirrors.close()
