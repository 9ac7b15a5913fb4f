"""The section `control`: in a region, whose keys, kills and policy all its services obey."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from shared import tls_trust
from shared.tls_trust import Trust

_NEAR = ("127.0.0.1", "::1", "localhost")
_KEY_SET = "/.well-known/jwks.json"


class ControlSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without `plane` this set-up is its own control plane. With it, it is a region of the control plane
    whose edge is at that address. `keys` is where the key set of that edge is (an address or a file; by
    default the edge is asked), `tls` whom to believe at both addresses instead of the system's authorities.
    """

    plane: Annotated[str, Meta(pattern=r"^(https?://[^\s/?#]+)?$")] = ""
    keys: str = ""
    tls: Trust | None = None

    @property
    def key_set(self) -> str:
        """Where the control plane's public keys are."""
        return self.keys or self.plane + _KEY_SET


def problems(section: ControlSection, path: Callable[[str], Path]) -> list[str]:
    """What the types alone cannot see, as `path: problem`. `path` makes a whole path of a relative one."""
    if not section.plane:
        idle = [name for name in ("keys", "tls") if getattr(section, name)]
        return [f"{name}: needs plane: whose would it be?" for name in idle]
    found = [
        f"{name}: {url} must be https: whoever is between could read and change what all obey"
        for name, url in (("plane", section.plane), ("keys", section.keys))
        if url.startswith("http://") and urlsplit(url).hostname not in _NEAR
    ]
    return found + tls_trust.problems("tls", tls_trust.resolved(section.tls, path))
