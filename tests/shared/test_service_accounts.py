"""The keys of a disabled service account are as good as revoked, whatever else acts as it is killed, and
nobody else is touched.
"""

import msgspec

from shared.identity.keys import KeyRecord
from shared.identity.principal import Caller, Principal
from shared.kill import Kill
from shared.kill_selector import Selector
from shared.ledger.entry import Entry, new_id
from shared.service_accounts import ServiceAccount, is_disabling, silenced, stopped

OFF = ServiceAccount(tenant="acme", name="billing", disabled=True, by="user:ops", at=7)
ON = ServiceAccount(tenant="acme", name="shop", at=8)


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
    assert [one.revoked_at for one in silenced(keys, [OFF, ON])] == [7, 3, 0, 0, 0]
    assert silenced(keys, []) == keys


def call(*actors: str, tenant: str = "acme", credential: str = "oidc") -> Entry:
    principal = Principal(sub=actors[0], tenant=tenant)
    caller = Caller(principal=principal, actors=actors, chain="c1", credential=credential)
    return Entry(id="e1", service="llm_gateway", started_at=0, caller=caller)


def test_whatever_acts_as_a_disabled_account_or_in_a_chain_with_it_is_killed() -> None:
    [order] = stopped([OFF, ON])
    meant = Selector.of(order.selector)
    for credential in ("oidc", "certificate", "key", "delegation", "identity"):
        assert meant.matches(call("service:billing", credential=credential))
    assert meant.matches(call("service:billing", "agent:planner", "agent:writer"))
    assert meant.matches(call("user:alice", "service:billing", "agent:writer"))
    for other in (
        call("service:billing", tenant="globex"),
        call("user:billing"),
        call("user:service:billing"),
        call("agent:billing"),
        call("service:billing2"),
        call("service:shop"),
    ):
        assert not meant.matches(other)


def test_the_order_says_why_who_and_since_when_and_passes_for_no_other() -> None:
    [order] = stopped([OFF])
    assert (order.reason, order.by, order.at) == ("the service account billing is disabled", "user:ops", 7)
    assert is_disabling(order)
    assert not is_disabling(msgspec.structs.replace(order, id=new_id()))
    assert not is_disabling(Kill(id="service_account", selector=order.selector))
    assert stopped([ON]) == []
