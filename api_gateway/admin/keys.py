"""Keys: make, list, revoke. The secret is in the answer that makes a key and nowhere else, ever."""

import re
from typing import Any

import msgspec
from msgspec import Struct

from api_gateway.admin import Answer, Ask, Page
from api_gateway.control import Control
from shared.errors import BadRequest, NotFound
from shared.identity.keys import KeyRecord
from shared.identity.principal import ChainBudget

_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_KINDS = ("user:", "agent:", "service:")


class NewKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`expires_in` in seconds, 0 for never. `sub` is `user:…`, `agent:…` or `service:…`."""

    sub: str
    tenant: str = ""
    team: str = ""
    project: str = ""
    tier: str = ""
    scope: tuple[str, ...] = ()
    budget: ChainBudget = ChainBudget()
    expires_in: int = 0
    name: str = ""


async def create(control: Control, ask: Ask) -> Answer:
    wanted = ask.read(NewKey)
    _check(wanted)
    tenant = ask.tenant(wanted.tenant) or wanted.tenant
    if not _TENANT.fullmatch(tenant):
        raise BadRequest(
            "tenant: up to 63 lower-case letters, digits, - and _ that name whom this key belongs to"
        )
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
        expires_at=control.now_us() + wanted.expires_in * 1_000_000 if wanted.expires_in else 0,
        name=wanted.name,
    )
    secret, record = await control.create_key(draft)
    return 201, {"secret": secret, **_shown(record)}


async def listing(control: Control, ask: Ask) -> Answer:
    tenant = ask.tenant(ask.query.get("tenant"))
    return 200, {"keys": [_shown(record) for record in await control.store.keys(tenant)]}


async def revoke(control: Control, ask: Ask) -> Answer:
    key = ask.names["id"]
    if not any(record.id == key for record in await control.store.keys(ask.tenant())):
        raise NotFound(f"there is no key {key}")
    await control.revoke_key(key)
    return 200, {"revoked": key}


def _check(wanted: NewKey) -> None:
    kind = next((kind for kind in _KINDS if wanted.sub.startswith(kind)), None)
    if kind is None or wanted.sub == kind or not wanted.sub.isprintable() or "*" in wanted.sub:
        raise BadRequest(f"sub: {wanted.sub!r} must be {', '.join(k + '<name>' for k in _KINDS)}")
    if wanted.expires_in < 0:
        raise BadRequest("expires_in: seconds from now, 0 for never")


def _shown(record: KeyRecord) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(record)
    del shown["hash"]
    return shown


PAGES = (
    Page(method="POST", path="/keys", area="keys", action="manage", call=create),
    Page(method="GET", path="/keys", area="keys", action="read", call=listing),
    Page(method="DELETE", path="/keys/{id}", area="keys", action="manage", call=revoke),
)
