"""Service accounts, declared. The object's name is `<tenant>/<name>`: it stands for the principal
`service:<name>` of that tenant.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from api_gateway.admin import Ask
from api_gateway.admin.keys import check_holder
from api_gateway.control import Control
from api_gateway.declared.kind import NAME, Held, Step, confine, holding
from shared.errors import BadRequest
from shared.identity.keys import KeyRecord
from shared.service_accounts import ServiceAccount
from shared.store import Write
from shared.store.objects import changed_account, new_account, removed_account, revoked_key

_SPEC = ("owner", "team", "description", "disabled")
Text = Annotated[str, Meta(max_length=500)]


class ServiceAccountSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`owner` answers for the service; with `team` and `description` that is for people. While it is
    `disabled` none of its keys is good, and what runs with them is cut.
    """

    owner: Text
    team: Text = ""
    description: Text = ""
    disabled: bool = False


class ServiceAccounts:
    name, area, snapshot, alone = "service_account", "accounts", "keys", False

    async def held(self, control: Control, ask: Ask) -> list[Held]:
        tenant, found = ask.tenant(), []
        for kept in await control.store.kept_accounts():
            record = kept.record
            assert isinstance(record, ServiceAccount)
            if tenant in (None, record.tenant):
                spec = ServiceAccountSpec(**{name: getattr(record, name) for name in _SPEC})
                found.append(holding(f"{record.tenant}/{record.name}", spec, kept.content))
        return found

    async def put(
        self, control: Control, ask: Ask, name: str, spec: Struct, held: Held | None, reason: str
    ) -> Step:
        tenant, _, service = name.rpartition("/")
        if not tenant or not NAME.fullmatch(service):
            raise BadRequest("a service account is named <tenant>/<name>: letters, digits, dots, - and _")
        confine(ask, tenant)
        check_holder(f"service:{service}", tenant)
        fields: dict[str, Any] = msgspec.structs.asdict(spec)
        by, at = ask.caller.actor, control.now_us()
        account = ServiceAccount(tenant=tenant, name=service, by=by, at=at, **fields)
        if held is None:
            return Step(writes=(new_account(account),))
        return Step(writes=(changed_account(held.content, account),))

    async def remove(self, control: Control, ask: Ask, held: Held) -> Step:
        """The keys of one that is disabled go with it: else they would be good again."""
        account = msgspec.json.decode(held.content, type=ServiceAccount)
        ends = await _revoked(control, account) if account.disabled else ()
        return Step(writes=(removed_account(held.content, account), *ends))


async def _revoked(control: Control, account: ServiceAccount) -> tuple[Write, ...]:
    found = []
    for kept in await control.store.kept_keys():
        key = kept.record
        assert isinstance(key, KeyRecord)
        if (key.tenant, key.sub) == (account.tenant, account.sub):
            gone = revoked_key(kept.content, key.id, control.now_us())
            # The same files may have revoked it a line before.
            found.append(msgspec.structs.replace(gone, find=False))
    return tuple(found)
