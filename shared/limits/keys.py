"""The names of things in Redis. What callers choose (tenants, users, models) can neither leave its place in a
name nor meet another's: what is not plain is percent-encoded, what is long is hashed.
"""

from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote

from msgspec import Struct

TENANTS = "gs:tenants"
_LONGEST = 64


class TenantKeys(Struct, frozen=True):
    """All keys of a tenant hold its hash tag, so that one script may touch them all on a cluster too."""

    prefix: str
    due: str
    ledger: str

    def lease(self, lease_id: str) -> str:
        return f"{self.prefix}lease:{lease_id}"

    def chain(self, chain: str) -> str:
        return f"{self.prefix}chain:{encoded(chain)}"

    def row(self, digest: bytes) -> str:
        return f"{self.prefix}row:{digest[:16].hex()}"


@lru_cache(maxsize=4096)
def tenant_keys(tenant: str) -> TenantKeys:
    prefix = f"gs:{{{encoded(tenant)}}}:"
    return TenantKeys(prefix=prefix, due=f"{prefix}due", ledger=f"{prefix}ledger")


def encoded(text: str) -> str:
    """`text` as a part of a key. Different texts give different parts; letters, digits, `@:/._~-` stay."""
    if len(text) > _LONGEST:
        return "#" + sha256(text.encode(errors="surrogatepass")).hexdigest()[:40]
    # Ids are: there are too many of them to be remembered.
    return text if text.isalnum() and text.isascii() else _quoted(text)


@lru_cache(maxsize=16384)
def _quoted(text: str) -> str:
    # An empty hash tag would not be one.
    return quote(text, safe="@:/", errors="surrogatepass") or "%"
