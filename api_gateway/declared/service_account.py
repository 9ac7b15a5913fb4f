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
from shared.kill import Kill
from shared.ledger.entry import new_id
from shared.service_accounts import ServiceAccount
from shared.store import Write
from shared.store.objects import changed_account, new_account, new_kill, removed_account, revoked_key

_SPEC = ("owner", "team", "description", "disabled")
Text = Annotated[str, Meta(max_length=500)]


class ServiceAccountSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`owner` answers for the service; with `team` and `description` that is for people. While it is
    `disabled` nothing acts as it or in its chains, whatever proves it, and what is open is cut.
    """

    owner: Text
    team: Text = ""
    description: Text = ""
    disabled: bool = False


class ServiceAccounts:
    name, area, snapshots, alone = "service_account", "accounts", ("kills", "keys"), False

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
        was = held is not None and msgspec.json.decode(held.content, type=ServiceAccount).disabled
        did = "" if was == account.disabled else "disabled" if account.disabled else "enabled"
        write = new_account(account) if held is None else changed_account(held.content, account)
        return Step(writes=(write,), did=did)

    async def remove(self, control: Control, ask: Ask, held: Held) -> Step:
        """One that is disabled leaves its keys revoked and a kill in its place: else its credentials would be
        good again.
        """
        account = msgspec.json.decode(held.content, type=ServiceAccount)
        gone = removed_account(held.content, account)
        if not account.disabled:
            return Step(writes=(gone,))
        order = Kill(
            id=new_id(),
            selector=account.selector,
            reason=f"the service account {account.name} was removed while it was disabled",
            by=ask.caller.actor,
            at=control.now_us(),
        )
        return Step(writes=(gone, *await _revoked(control, account), new_kill(order)))


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
