"""The keys of a disabled service account are as good as revoked, and nobody else's are."""

from shared.identity.keys import KeyRecord
from shared.service_accounts import ServiceAccount, silenced


def key(name: str, sub: str = "service:billing", tenant: str = "acme", revoked_at: int = 0) -> KeyRecord:
    return KeyRecord(id=name, hash=name, sub=sub, tenant=tenant, revoked_at=revoked_at)


def test_only_the_keys_of_a_disabled_account_are_silenced() -> None:
    keys = [
        key("meant"),
        key("revoked", revoked_at=3),
        key("another's", sub="service:shop"),
        key("another tenant's", tenant="globex"),
        key("a person's", sub="user:billing"),
    ]
    accounts = [
        ServiceAccount(tenant="acme", name="billing", disabled=True, at=7),
        ServiceAccount(tenant="acme", name="shop", at=8),
    ]
    assert [one.revoked_at for one in silenced(keys, accounts)] == [7, 3, 0, 0, 0]
    assert silenced(keys, []) == keys
