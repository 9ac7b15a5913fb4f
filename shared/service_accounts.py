"""Service accounts: who answers for a service, and whether anything may act as it at all.

An account grants nothing and needs no key; what a service may do is policy's to say.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from shared.identity.keys import KeyRecord
from shared.kill import Kill

# How the ids of the orders begin that disabled accounts come to. No id of another order has a colon.
_ORDER = "service_account:"


class ServiceAccount(Struct, frozen=True, kw_only=True):
    """The principal `service:<name>` of `tenant`. `owner` answers for it; `owner`, `team` and `description`
    are for people. While it is `disabled` nothing acts as this principal, whatever proves it. `at` is when
    it was last changed, by `by`, in microseconds since 1970.
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

    @property
    def selector(self) -> dict[str, str]:
        """What a kill of everything that acts as this principal, or in a chain with it, is aimed at."""
        return {"principal": self.sub, "tenant": self.tenant}


def silenced(keys: Sequence[KeyRecord], accounts: Iterable[ServiceAccount]) -> list[KeyRecord]:
    """`keys` as services shall see them: those of a disabled account are as good as revoked. The kill switch
    alone would spare an operator's key.
    """
    since = {(account.tenant, account.sub): account.at for account in accounts if account.disabled}
    return [
        replace(key, revoked_at=key.revoked_at or since[key.tenant, key.sub])
        if (key.tenant, key.sub) in since
        else key
        for key in keys
    ]


def stopped(accounts: Iterable[ServiceAccount]) -> list[Kill]:
    """The orders that disabled accounts come to: they stop tokens, certificates and chains like keys."""
    return [
        Kill(
            id=f"{_ORDER}{account.tenant}:{account.name}",
            selector=account.selector,
            reason=f"the service account {account.name} is disabled",
            by=account.by,
            at=account.at,
        )
        for account in accounts
        if account.disabled
    ]


def is_disabling(kill: Kill) -> bool:
    """Whether it is in force because an account is disabled, and not by an order of its own."""
    return kill.id.startswith(_ORDER)
