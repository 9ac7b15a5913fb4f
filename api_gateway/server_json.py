"""`server.json`: how the MCP registry describes a server, as far as it has to be right to be passed on.

Source: https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json
"""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from shared.catalog_entries import LATEST, LONGEST_NAME, OWN_NAMESPACE, SERVER_NAME, VERSION

# What stands in `_meta`: ours, and what the official registry says of a version.
OURS = "gatestack/registry"
OFFICIAL = "io.modelcontextprotocol.registry/official"
_Owner = Annotated[str, Meta(max_length=200)]
_Labels = Annotated[tuple[_Owner, ...], Meta(max_length=50)]
# What registries add is theirs, and not taken for the publisher's.
_PUBLISHERS = "io.modelcontextprotocol.registry/publisher-provided"


class Remote(Struct, frozen=True):
    type: str
    url: str


class Package(Struct, frozen=True):
    registryType: str
    identifier: str


class ServerJson(Struct, frozen=True):
    """What is checked of it; whatever else it says goes on as it is."""

    name: Annotated[str, Meta(max_length=LONGEST_NAME)]
    description: Annotated[str, Meta(min_length=1, max_length=100)]
    version: str
    title: Annotated[str, Meta(max_length=100)] = ""
    remotes: Annotated[tuple[Remote, ...], Meta(max_length=50)] = ()
    packages: Annotated[tuple[Package, ...], Meta(max_length=50)] = ()


class Own(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What whoever publishes says to this registry alone."""

    owner: _Owner = ""
    labels: _Labels = ()
    state: Literal["active", "deprecated"] = "active"


def problem(server: ServerJson) -> str:
    """What the types alone cannot see; "" where it is right."""
    if not SERVER_NAME.fullmatch(server.name):
        return f"name: {server.name[:80]!r} is not <reversed domain>/<name>, like com.example/git"
    if server.name.partition("/")[0].casefold() == OWN_NAMESPACE:
        return f"name: {OWN_NAMESPACE} is kept for the servers of the configuration"
    if server.version == LATEST or not VERSION.fullmatch(server.version):
        return f"version: {server.version[:80]!r} is no version, like 1.2.0"
    for place, remote in enumerate(server.remotes):
        if remote.type not in ("streamable-http", "sse"):
            return f"remotes[{place}].type: {remote.type[:80]!r} is neither streamable-http nor sse"
        if not _remote(remote.url):
            return f"remotes[{place}].url: {remote.url[:80]!r} is no http(s) address"
    return ""


def content_of(whole: dict[str, Any]) -> dict[str, Any]:
    """What its publisher says of it."""
    given = whole.get("_meta")
    own = {_PUBLISHERS: given[_PUBLISHERS]} if isinstance(given, dict) and _PUBLISHERS in given else {}
    content = {name: value for name, value in whole.items() if name != "_meta"}
    return content | {"_meta": own} if own else content


def _remote(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and "@" not in parts.netloc
