"""Keys, declared: whom they stand for and what they may. The secret is in the answer that makes one, ever
after only its hash is kept; no file holds either.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from api_gateway.admin import Ask
from api_gateway.admin.keys import check_holder, check_limits, check_reach
from api_gateway.control import Control
from api_gateway.declared.kind import NAME, Held, Step, confine, holding
from shared.errors import BadRequest
from shared.identity.keys import KeyRecord
from shared.identity.keys import new_key as made
from shared.identity.principal import ChainBudget
from shared.store.objects import changed_key, new_key, revoked_key

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Budget(ChainBudget, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A chain's budget in which a misspelt cap is not taken for none."""


class KeySpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The object's name is the key's id. `sub` is `user:…`, `agent:…` or `service:…`; `title` is for
    people.
    """

    sub: str
    tenant: str
    team: str = ""
    project: str = ""
    tier: str = ""
    scope: tuple[str, ...] = ()
    budget: Budget = Budget()
    limits: tuple[str, ...] = ()
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    title: str = ""


class Keys:
    name, area, snapshots, alone = "key", "keys", ("keys",), False

    async def held(self, control: Control, ask: Ask) -> list[Held]:
        tenant, found = ask.tenant(), []
        for kept in await control.store.kept_keys():
            record = kept.record
            assert isinstance(record, KeyRecord)
            if tenant in (None, record.tenant):
                found.append(holding(record.id, _spec(record), kept.content))
        return found

    async def put(
        self, control: Control, ask: Ask, name: str, spec: Struct, held: Held | None, reason: str
    ) -> Step:
        assert isinstance(spec, KeySpec)
        check_holder(spec.sub, spec.tenant)
        check_limits(spec.limits)
        check_reach(spec.scope, spec.budget)
        confine(ask, spec.tenant)
        if held is not None:
            return Step(writes=(changed_key(held.content, _changed(held, spec)),))
        if not NAME.fullmatch(name):
            raise BadRequest("a key's name is up to 63 letters, digits, dots, - and _")
        secret, fields = made()
        draft = KeyRecord(id=name, hash=fields["hash"], sub="", tenant="", created_at=control.now_us())
        return Step(writes=(new_key(_record(draft, spec)),), secret=secret)

    async def remove(self, control: Control, ask: Ask, held: Held) -> Step:
        return Step(writes=(revoked_key(held.content, held.name, control.now_us()),))


def _changed(held: Held, spec: KeySpec) -> KeyRecord:
    record = msgspec.json.decode(held.content, type=KeyRecord)
    if (record.sub, record.tenant) != (spec.sub, spec.tenant):
        raise BadRequest("sub, tenant: whom a key stands for never changes: declare another key")
    return _record(record, spec)


def _record(record: KeyRecord, spec: KeySpec) -> KeyRecord:
    fields = msgspec.structs.asdict(spec)
    expires = fields.pop("expires_at")
    at = (expires - _EPOCH) // _MICROSECOND if expires is not None else 0
    fields["budget"] = ChainBudget(**msgspec.structs.asdict(spec.budget))
    return msgspec.structs.replace(record, name=fields.pop("title"), expires_at=at, **fields)


def _spec(record: KeyRecord) -> KeySpec:
    names = ("sub", "tenant", "team", "project", "tier", "scope", "limits")
    same = {name: getattr(record, name) for name in names}
    expires = _EPOCH + record.expires_at * _MICROSECOND if record.expires_at else None
    budget = Budget(**msgspec.structs.asdict(record.budget))
    return KeySpec(**same, budget=budget, expires_at=expires, title=record.name)
