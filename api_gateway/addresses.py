"""From where a request may come: networks that are let in, and networks that are kept out."""

import ipaddress
from collections.abc import Sequence

from msgspec import Struct

from shared.client_address import Address, address
from shared.errors import Forbidden

Networks = Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]


class AddressRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Addresses and networks (`10.0.0.0/8`). Who is in `deny` is refused, and with an `allow` everybody who
    is not in it.
    """

    allow: list[str] = []
    deny: list[str] = []


class Addresses:
    """A rule, read once."""

    def __init__(self, rule: AddressRule) -> None:
        self._allow = _networks(rule.allow)
        self._deny = _networks(rule.deny)

    def check(self, client: tuple[str, int] | None) -> None:
        """Raises Forbidden, also where the address is not known."""
        found = address(client[0]) if client else None
        if found is None or _within(found, self._deny) or (self._allow and not _within(found, self._allow)):
            raise Forbidden("requests from this address are not taken here")


def problems(path: str, rule: AddressRule | None) -> list[str]:
    """What is wrong with a rule, as `path: problem`."""
    if rule is None:
        return []
    found = []
    for name, texts in (("allow", rule.allow), ("deny", rule.deny)):
        for place, text in enumerate(texts):
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                found.append(f"{path}.{name}[{place}]: {text!r} is no address and no network")
    return found


def _networks(texts: list[str]) -> Networks:
    return [ipaddress.ip_network(text, strict=False) for text in texts]


def _within(found: Address, networks: Networks) -> bool:
    return any(found in network for network in networks)
