"""Keys: make, rotate, list, revoke. A secret is in the answer that makes it and nowhere else, ever."""

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from api_gateway.admin import Answer, Ask, Page
from api_gateway.admin.listing import Listed
from api_gateway.control import Control
from shared.errors import BadRequest, NotFound
from shared.identity.keys import KeyRecord
from shared.identity.principal import ChainBudget
from shared.limits.own import problems as limit_problems
from shared.policy.extent import CATALOG
from shared.policy.names import PRINCIPALS
from shared.policy.survey import askable

_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class NewKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`expires_in` in seconds, 0 for never. `sub` is `user:…`, `agent:…` or `service:…`. `limits` are the
    key's own: `requests/minute=600`.
    """

    sub: str
    tenant: str = ""
    team: str = ""
    project: str = ""
    tier: str = ""
    scope: tuple[str, ...] = ()
    budget: ChainBudget = ChainBudget()
    limits: tuple[str, ...] = ()
    expires_in: int = 0
    name: str = ""


class Rotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The secret until now stays good for `overlap` seconds, 0 for not at all."""

    overlap: Annotated[int, Meta(ge=0, le=2_592_000)] = 86_400


async def create(control: Control, ask: Ask) -> Answer:
    """Makes a key; its secret is in the answer, once."""
    wanted = ask.read(NewKey)
    if wanted.expires_in < 0:
        raise BadRequest("expires_in: seconds from now, 0 for never")
    tenant = ask.tenant(wanted.tenant) or wanted.tenant
    check_holder(wanted.sub, tenant)
    check_limits(wanted.limits)
    check_reach(wanted.scope, wanted.budget)
    draft = KeyRecord(
        id="",
        hash="",
        sub=wanted.sub,
        tenant=tenant,
        team=wanted.team,
        project=wanted.project,
        tier=wanted.tier,
        scope=wanted.scope,
        budget=wanted.budget,
        limits=wanted.limits,
        expires_at=control.now_us() + wanted.expires_in * 1_000_000 if wanted.expires_in else 0,
        name=wanted.name,
    )
    secret, record = await control.create_key(draft)
    return 201, {"secret": secret, **_shown(record)}


async def listing(control: Control, ask: Ask) -> Answer:
    """Every key, without its secret, and when it was last used."""
    tenant = ask.tenant(ask.query.get("tenant"))
    used = await control.store.keys_used(tenant)
    shown = [_shown(record) for record in await control.store.keys(tenant)]
    return 200, {"keys": [{**one, "used_at": used.get(one["id"], 0)} for one in shown]}


async def rotate(control: Control, ask: Ask) -> Answer:
    """Gives a key a new secret; the old one stays good for a while."""
    wanted = ask.read(Rotation) if ask.body else Rotation()
    record = await _own(control, ask)
    if record.revoked_at:
        raise BadRequest(f"the key {record.id} has been revoked: make a new one")
    secret, changed = await control.rotate_key(record, wanted.overlap)
    return 200, {"secret": secret, **_shown(changed)}


async def revoke(control: Control, ask: Ask) -> Answer:
    """Ends a key, and what was started with it."""
    record = await _own(control, ask)
    await control.revoke_key(record.id)
    return 200, {"revoked": record.id}


async def _own(control: Control, ask: Ask) -> KeyRecord:
    """The key that the path names, where the caller administers it. Raises NotFound."""
    for record in await control.store.keys(ask.tenant()):
        if record.id == ask.names["id"]:
            return record
    raise NotFound(f"there is no key {ask.names['id']}")


def check_principal(field: str, name: str) -> None:
    """Raises BadRequest for what is not one principal's name."""
    kind, _, rest = name.partition(":")
    if kind not in PRINCIPALS or not rest or not name.isprintable() or "*" in name:
        known = ", ".join(f"{kind}:<name>" for kind in PRINCIPALS)
        raise BadRequest(f"{field}: {name[:80]!r} must be {known}")


def check_holder(sub: str, tenant: str) -> None:
    """Raises BadRequest where no key can stand for this."""
    check_principal("sub", sub)
    if not _TENANT.fullmatch(tenant):
        raise BadRequest(
            "tenant: up to 63 lower-case letters, digits, - and _ that name whom this key belongs to"
        )


def check_limits(limits: tuple[str, ...]) -> None:
    """Raises BadRequest where one is none."""
    if found := limit_problems(limits):
        raise BadRequest("; ".join(f"limits{problem}" for problem in found))


def check_reach(scope: tuple[str, ...], budget: ChainBudget) -> None:
    """Raises BadRequest where a pattern covers no resource that there could be, or a cap is below nothing."""
    for place, pattern in enumerate(scope):
        if not askable(pattern) or pattern.startswith(CATALOG):
            raise BadRequest(
                f"scope[{place}]: {pattern[:80]!r} covers nothing: write a resource like tool:crm/refund or"
                " a pattern like model:*"
            )
    for name, cap in msgspec.structs.asdict(budget).items():
        if cap is not None and cap < 0:
            raise BadRequest(f"budget.{name}: {cap} is below nothing")


def _shown(record: KeyRecord) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(record)
    del shown["hash"], shown["old_hash"]
    return shown


PAGES = (
    Page(method="POST", path="/keys", area="keys", action="manage", call=create, body=NewKey, status=201),
    Page(
        method="GET",
        path="/keys",
        area="keys",
        action="read",
        call=listing,
        query=("tenant",),
        lists=Listed(member="keys", key=("id",), filters=("sub", "team", "project", "tier", "name")),
    ),
    Page(
        method="POST",
        path="/keys/{id}/rotate",
        area="keys",
        action="manage",
        call=rotate,
        body=Rotation | None,
    ),
    Page(method="DELETE", path="/keys/{id}", area="keys", action="manage", call=revoke),
)
