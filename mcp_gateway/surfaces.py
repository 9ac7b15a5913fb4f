"""The endpoints that clients see, and how items of several servers are named where they stand side by side.

Merged, a tool or prompt is `<server>__<name>` and a resource `<server>+<uri>`; server ids have no
underscore and no plus, so such a name is read in one way only. On a server's own endpoint names are the
server's own.
"""

import hashlib
import re
from typing import Any

import msgspec
from msgspec import Struct

from mcp_gateway.methods import Kind
from shared.errors import NotFound

SEPARATOR, URI_SEPARATOR = "__", "+"
# What model APIs accept as the name of a tool.
_LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST, _MARK = 64, 8


class Surface(Struct, frozen=True):
    """One endpoint: of the server `server`, of the catalog `catalog`, or of all servers together. `search`
    offers three tools that find the others instead of all of them.
    """

    server: str = ""
    catalog: str = ""
    search: bool = False

    @property
    def place(self) -> str:
        """What tells one endpoint from another: its path up to `/mcp`."""
        if self.server:
            return f"/servers/{self.server}"
        return f"/catalogs/{self.catalog}" if self.catalog else ""

    def split(self, kind: Kind, name: str) -> tuple[str, str]:
        """The server that `name` points to, and what the rest of the name is. Raises NotFound."""
        if self.server:
            return self.server, name
        separator = SEPARATOR if kind in ("tool", "prompt") else URI_SEPARATOR
        server, found, rest = name.partition(separator)
        if not found or not rest:
            raise NotFound(f"there is no {kind} {name[:200]!r}")
        return server, rest

    def result(self, server: str, result: bytes) -> bytes:
        """A result of `server` with its resources named as they are here."""
        if self.server or b'"uri"' not in result:
            return result
        decoded = msgspec.json.decode(result)
        if isinstance(decoded, dict):
            _rename(server, decoded)
        return msgspec.json.encode(decoded)


MERGED = Surface()


def joined(server: str, kind: Kind, name: str) -> str:
    """What an item is called on the merged endpoint. A tool's name that models would not accept is made
    acceptable and marked with a digest of what it was.
    """
    if kind in ("resource", "template"):
        return f"{server}{URI_SEPARATOR}{name}"
    full = f"{server}{SEPARATOR}{name}"
    if kind == "prompt" or _LEGAL.fullmatch(full):
        return full
    mark = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:_MARK]
    return f"{_ILLEGAL.sub('_', full)[: _LONGEST - _MARK - 1]}_{mark}"


def _rename(server: str, result: dict[str, Any]) -> None:
    """Prefixes the resources that a result of a tool, a prompt or a read mentions."""
    for block in _dicts(result.get("contents")):
        _prefix(server, block)
    for block in _dicts(result.get("content")):
        _rename_block(server, block)
    for message in _dicts(result.get("messages")):
        content = message.get("content")
        for block in _dicts(content if isinstance(content, list) else [content]):
            _rename_block(server, block)


def _rename_block(server: str, block: dict[str, Any]) -> None:
    if block.get("type") == "resource_link":
        _prefix(server, block)
    elif block.get("type") == "resource" and isinstance(block.get("resource"), dict):
        _prefix(server, block["resource"])


def _prefix(server: str, block: dict[str, Any]) -> None:
    if isinstance(block.get("uri"), str):
        block["uri"] = f"{server}{URI_SEPARATOR}{block['uri']}"


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
