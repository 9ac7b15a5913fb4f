"""Policy, asked: one decision with everything that led to it, who can do something, what somebody can do."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from api_gateway.admin import Answer, Ask, Page, simulate, versions
from api_gateway.control import Control
from shared.errors import BadRequest
from shared.identity.keys import KeyRecord
from shared.identity.principal import Caller, Principal
from shared.policy import in_scope
from shared.policy.decision import Explanation
from shared.policy.names import PRINCIPALS
from shared.policy.survey import Holder, Someone, askable, survey_of

_EVERY_TENANT = "*"


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
    roles: tuple[str, ...] = ()
    facts: dict[str, Any] = {}


class WhoCan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who can do `action` (`*`: any) to `resource`, which may be a pattern or a catalog? `kind` asks for
    users, agents or services only; `facts` are taken as given.
    """

    resource: str
    action: str = "invoke"
    tenant: str = ""
    kind: str = ""
    facts: dict[str, Any] = {}


class WhatCan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can `principal` do? Team, project and tier are those of its keys unless they are given. `within`
    narrows the answer to resources under a name, a pattern or a catalog.
    """

    principal: str
    tenant: str = ""
    team: str = ""
    project: str = ""
    tier: str = ""
    within: str = "*"
    facts: dict[str, Any] = {}


async def explain(control: Control, ask: Ask) -> Answer:
    """One decision, hop by hop, with every rule that spoke."""
    question = ask.read(Question)
    if not question.actors:
        raise BadRequest("actors: name at least the principal that the chain starts with")
    for place, actor in enumerate(question.actors):
        _check_principal(f"actors[{place}]", actor)
    _check_resource("resource", question.resource)
    principal = Principal(
        sub=question.actors[0],
        tenant=ask.tenant(question.tenant) or question.tenant or ask.caller.principal.tenant,
        team=question.team,
        project=question.project,
        tier=question.tier,
        scope=question.scope,
        roles=question.roles,
    )
    caller = Caller(principal=principal, actors=question.actors, chain="", credential="question")
    explanation = control.policy.current.explain(caller, question.resource, question.action, question.facts)
    return 200, msgspec.to_builtins(explanation)


async def who_can(control: Control, ask: Ask) -> Answer:
    """Everybody who is known: named by the policy, or holding a key. `keys` says how many live keys somebody
    has, `usable_keys` how many of them have a scope that covers the resource.
    """
    question = ask.read(WhoCan)
    _check_resource("resource", question.resource)
    if question.kind not in ("", *PRINCIPALS):
        raise BadRequest(f"kind: {question.kind[:40]!r} is none of {', '.join(PRINCIPALS)}")
    tenant = ask.tenant(question.tenant)
    policy = control.policy.current
    keys = _live(await control.store.keys(tenant), control.now_us())
    survey = survey_of(policy)
    people = _people(survey.known(), keys, tenant)
    holders = survey.who_can(question.action, question.resource, people, question.facts)
    rings = _rings(keys)
    wanted = question.kind and f"{question.kind}:"
    rows = [
        _row(holder, rings, question.resource)
        for holder in sorted(holders, key=_order)
        if holder.someone.name.startswith(wanted) or holder.someone.name == "*"
    ]
    return 200, {
        "resource": question.resource,
        "action": question.action,
        "tenant": tenant or "",
        "epoch": policy.epoch,
        "who": rows,
    }


async def what_can(control: Control, ask: Ask) -> Answer:
    """What somebody can do, for each of the memberships that their keys have."""
    question = ask.read(WhatCan)
    _check_resource("within", question.within)
    _check_principal("principal", question.principal)
    tenant = ask.tenant(question.tenant) or ask.caller.principal.tenant
    keys = _live(await control.store.keys(tenant), control.now_us())
    policy = control.policy.current
    survey = survey_of(policy)
    people = [
        {
            "as": msgspec.structs.asdict(someone),
            "can": msgspec.to_builtins(survey.what_can(someone, question.within, question.facts)),
        }
        for someone in _memberships(question, tenant, keys)
    ]
    return 200, {"principal": question.principal, "tenant": tenant, "epoch": policy.epoch, "people": people}


def _check_principal(field: str, name: str) -> None:
    if name.partition(":")[0] not in PRINCIPALS:
        kinds = ", ".join(f"{kind}:<name>" for kind in PRINCIPALS)
        raise BadRequest(f"{field}: {name[:80]!r} must be {kinds}")


def _check_resource(field: str, resource: str) -> None:
    if not askable(resource):
        raise BadRequest(
            f"{field}: {resource[:80]!r} must be a resource like tool:crm/refund, a pattern like tool:crm/*,"
            " or a catalog:<name>"
        )


def _live(keys: Iterable[KeyRecord], now: int) -> list[KeyRecord]:
    return [key for key in keys if not key.revoked_at and not 0 < key.expires_at <= now]


def _people(named: Iterable[Someone], keys: list[KeyRecord], tenant: str | None) -> list[Someone]:
    """Whoever holds a key, as its teams have them, and whoever the policy names and no key does."""
    holders = dict.fromkeys(map(_holder, keys))
    met = {(someone.name, someone.tenant) for someone in holders}
    others: dict[Someone, None] = {}
    for someone in named:
        if someone.tenant not in (tenant, _EVERY_TENANT) and tenant is not None:
            continue
        here = someone if tenant is None else msgspec.structs.replace(someone, tenant=tenant)
        if (here.name, here.tenant) not in met:
            others[here] = None
    return [*holders, *others]


def _holder(key: KeyRecord) -> Someone:
    return Someone(name=key.sub, tenant=key.tenant, team=key.team, project=key.project, tier=key.tier)


def _memberships(question: WhatCan, tenant: str, keys: list[KeyRecord]) -> list[Someone]:
    given = Someone(
        name=question.principal,
        tenant=tenant,
        team=question.team,
        project=question.project,
        tier=question.tier,
    )
    if question.team or question.project or question.tier:
        return [given]
    return list(dict.fromkeys(_holder(key) for key in keys if key.sub == question.principal)) or [given]


def _rings(keys: Iterable[KeyRecord]) -> dict[Someone, list[KeyRecord]]:
    rings: dict[Someone, list[KeyRecord]] = {}
    for key in keys:
        rings.setdefault(_holder(key), []).append(key)
    return rings


def _row(holder: Holder, rings: dict[Someone, list[KeyRecord]], resource: str) -> dict[str, Any]:
    keys = rings.get(holder.someone, [])
    return {
        **msgspec.structs.asdict(holder.someone),
        **msgspec.structs.asdict(holder.standing),
        "callers": holder.callers,
        "caller_count": holder.caller_count,
        "keys": len(keys),
        "usable_keys": sum(1 for key in keys if in_scope(key.scope, resource)),
    }


def _order(holder: Holder) -> tuple[str, str, str]:
    return holder.standing.verdict, holder.someone.tenant, holder.someone.name


PAGES = (
    Page(
        method="POST",
        path="/policy/explain",
        area="policy",
        action="read",
        call=explain,
        body=Question,
        answer=Explanation,
    ),
    Page(method="POST", path="/policy/who-can", area="policy", action="read", call=who_can, body=WhoCan),
    Page(method="POST", path="/policy/what-can", area="policy", action="read", call=what_can, body=WhatCan),
    *simulate.PAGES,
    *versions.PAGES,
)
