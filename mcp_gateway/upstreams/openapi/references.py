"""`$ref` inside of one document: what it points to, and never outside, round in circles or without end."""

from typing import Any
from urllib.parse import unquote

from mcp_gateway.upstreams.openapi.document import Unusable

# A reference to a reference to a reference; loops are found by their length.
_LONGEST_WAY = 32


def target(root: dict[str, Any], ref: str) -> Any:
    """What `ref` points to. Raises Unusable for what is not in this document."""
    if not ref.startswith("#/"):
        raise Unusable(f"it refers to {ref[:100]!r}, which is outside of the document")
    found: Any = root
    for step in ref[2:].split("/"):
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, dict) and name in found:
            found = found[name]
        else:
            raise Unusable(f"it refers to {ref[:100]!r}, which is not in the document")
    return found


def followed(root: dict[str, Any], part: Any) -> dict[str, Any]:
    """`part`, or what its references lead to. Raises Unusable when that is no object, or never ends."""
    for _ in range(_LONGEST_WAY):
        if not isinstance(part, dict):
            raise Unusable("a part of it is no object")
        ref = part.get("$ref")
        if not isinstance(ref, str):
            return part
        part = target(root, ref)
    raise Unusable("a reference of it leads back to itself")
