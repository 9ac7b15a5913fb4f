"""What callers were shown, for as long as policy and the lists of the servers are what they were. Only what
no condition has a say in is kept: the next call of the same caller would be answered alike.
"""

from collections.abc import Mapping

from msgspec import Struct

from mcp_gateway.items import Item, Listing
from mcp_gateway.methods import Kind
from mcp_gateway.surfaces import Surface
from shared.identity.principal import Caller
from shared.policy import Policy

Shown = dict[str, list[Item]]
_MOST = 1_024
_Key = tuple[object, ...]


class _Kept(Struct, frozen=True):
    policy: Policy
    listings: Mapping[str, Listing]
    shown: Shown


class Remembered:
    """For the latest callers; then it begins anew."""

    def __init__(self) -> None:
        self._kept: dict[_Key, _Kept] = {}

    def get(
        self,
        policy: Policy,
        listings: Mapping[str, Listing],
        kind: Kind,
        caller: Caller,
        surface: Surface,
    ) -> Shown | None:
        kept = self._kept.get(_key(kind, caller, surface))
        if kept is None or kept.policy is not policy or len(kept.listings) != len(listings):
            return None
        same = all(kept.listings.get(server) is listing for server, listing in listings.items())
        return kept.shown if same else None

    def keep(
        self,
        policy: Policy,
        listings: Mapping[str, Listing],
        kind: Kind,
        caller: Caller,
        surface: Surface,
        shown: Shown,
    ) -> None:
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[_key(kind, caller, surface)] = _Kept(policy, listings, shown)


def _key(kind: Kind, caller: Caller, surface: Surface) -> _Key:
    """Everything of a caller that rules without a condition can tell apart."""
    who = caller.principal
    return (
        *(kind, surface.server, surface.catalog),
        *(who.tenant, who.sub, who.team, who.project, who.tier, who.scope, who.roles, caller.actors),
    )
