"""Service accounts: who answers for a service that holds keys, and whether these are good at all.

An account grants nothing and needs no key; what a service may do is policy's to say.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from shared.identity.keys import KeyRecord


class ServiceAccount(Struct, frozen=True, kw_only=True):
    """The principal `service:<name>` of `tenant`. `owner` answers for it; `owner`, `team` and `description`
    are for people. While it is `disabled` none of its keys is good. `at` is when it was last changed, by
    `by`, in microseconds since 1970.
    """

    tenant: str
    name: str
    owner: str = ""
    team: str = ""
    description: str = ""
    disabled: bool = False
    by: str = ""
    at: int = 0

    @property
    def sub(self) -> str:
        return f"service:{self.name}"


def silenced(keys: Sequence[KeyRecord], accounts: Iterable[ServiceAccount]) -> list[KeyRecord]:
    """`keys` as services shall see them: those of a disabled account are as good as revoked."""
    since = {(account.tenant, account.sub): account.at for account in accounts if account.disabled}
    return [
        replace(key, revoked_at=key.revoked_at or since[key.tenant, key.sub])
        if (key.tenant, key.sub) in since
        else key
        for key in keys
    ]
