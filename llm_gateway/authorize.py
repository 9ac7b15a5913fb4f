"""May this chain use this model? A model that it may not use looks like one that does not exist."""

from collections.abc import Mapping
from typing import Any

from llm_gateway.ask import Ask
from llm_gateway.catalog import Catalog, Model
from llm_gateway.tags import read_tags
from shared.account import Flight
from shared.errors import Forbidden, NotFound
from shared.identity.principal import Caller
from shared.limits.limiter import Limiter
from shared.policy import Decision, Grant, Policy, PolicyBox, granted

INVOKE, LIST = "invoke", "list"


class Authorize:
    def __init__(self, catalog: Catalog, policy: PolicyBox, limiter: Limiter) -> None:
        self._catalog = catalog
        self._policy = policy
        self._limiter = limiter

    async def __call__(self, flight: Flight, caller: Caller, ask: Ask) -> tuple[Grant, Model]:
        """Records what is asked for and what policy says to it. Raises NotFound, Killed, BadRequest."""
        model = self._catalog.find(ask.model)
        resource = model.resource if model is not None else f"model:{ask.model}"
        entry, policy = flight.entry, self._policy.current
        entry.resource, entry.action, entry.model = resource, INVOKE, resource.removeprefix("model:")
        entry.tags, entry.streamed = read_tags(flight.exchange), ask.stream
        flight.check()
        facts = await self._facts(policy, caller, model, entry.tags)
        decision = decide(policy, caller, resource, model, facts)
        entry.rule, entry.epoch = decision.rule, decision.epoch
        try:
            grant = granted(decision, caller, resource, INVOKE)
        except Forbidden as error:
            # The caller is told no more than of a model that is not there; the operator is told who was
            # refused.
            entry.decision = "deny"
            entry.findings += (f"refused:{decision.hop}",)
            raise unknown(ask.model, error) from error
        flight.granted(grant)
        if model is None:
            raise unknown(ask.model)
        return grant, model

    async def _facts(
        self, policy: Policy, caller: Caller, model: Model | None, tags: tuple[str, ...]
    ) -> dict[str, Any]:
        facts: dict[str, Any] = {"tags": tags}
        if model is not None:
            facts["labels"] = model.labels
        if "taint" in policy.needs:
            # Asked for only where a rule reads it: it costs a round trip.
            facts["taint"] = (await self._limiter.state(caller.principal.tenant, caller.chain)).taint
        return facts


def decide(
    policy: Policy, caller: Caller, resource: str, model: Model | None, facts: Mapping[str, Any]
) -> Decision:
    """Where a rule reads the provider, every one that may come to answer must be allowed, also those that
    are asked when another has failed.
    """
    names = ("",) if model is None else tuple(dict.fromkeys(each.provider.name for each in model.targets))
    decision: Decision | None = None
    for name in names if "provider" in policy.needs else names[:1]:
        decision = policy.decide_chain(
            caller, resource, INVOKE, {**facts, **({"provider": name} if name else {})}
        )
        if not decision.allowed:
            break
    assert decision is not None
    return decision


def visible(policy: Policy, caller: Caller, model: Model) -> bool:
    """Whether a list may show this model: to whoever may list it or use it."""
    return any(policy.possible(caller, model.resource, action) for action in (LIST, INVOKE))


def unknown(name: str, cause: Exception | None = None) -> NotFound:
    return NotFound(
        f"the model {name!r} does not exist or you may not use it; GET /v1/models lists those you may use",
        cause=cause,
        data={"param": "model", "code": "model_not_found"},
    )
