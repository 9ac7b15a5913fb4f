"""Policy, asked: one decision with everything that led to it."""

from typing import Any

import msgspec
from msgspec import Struct

from api_gateway.admin import Answer, Ask, Page
from api_gateway.control import Control
from shared.errors import BadRequest
from shared.identity.principal import Caller, Principal


class Question(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """May these `actors` (the chain, origin first) do `action` to `resource`? `facts` are what conditions
    would see.
    """

    actors: tuple[str, ...]
    resource: str
    action: str = "invoke"
    tenant: str = ""
    team: str = ""
    project: str = ""
    tier: str = ""
    scope: tuple[str, ...] = ()
    facts: dict[str, Any] = {}


async def explain(control: Control, ask: Ask) -> Answer:
    question = ask.read(Question)
    if not question.actors:
        raise BadRequest("actors: name at least the principal that the chain starts with")
    principal = Principal(
        sub=question.actors[0],
        tenant=ask.tenant(question.tenant) or question.tenant or ask.caller.principal.tenant,
        team=question.team,
        project=question.project,
        tier=question.tier,
        scope=question.scope,
    )
    caller = Caller(principal=principal, actors=question.actors, chain="", credential="question")
    explanation = control.policy.current.explain(caller, question.resource, question.action, question.facts)
    return 200, msgspec.to_builtins(explanation)


PAGES = (Page(method="POST", path="/policy/explain", area="policy", action="read", call=explain),)
