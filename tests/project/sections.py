"""What may stand in a configuration: the shared sections, each service's own, and what they are made of."""

from typing import Any

from msgspec import Struct
from msgspec.structs import fields

import agent_gateway.config
import api_gateway.config
import llm_gateway.config
import mcp_gateway.config
from shared.config.sections import Shared

SECTIONS: dict[str, Any] = {
    "api_gateway": api_gateway.config.Section,
    "llm_gateway": llm_gateway.config.Section,
    "mcp_gateway": mcp_gateway.config.Section,
    "agent_gateway": agent_gateway.config.Section,
}


def kinds() -> set[type[Struct]]:
    """Every struct that a configuration can hold."""
    found: set[type[Struct]] = set()
    for kind in (Shared, *SECTIONS.values()):
        _reached(kind, found)
    return found


def _reached(kind: Any, found: set[type[Struct]]) -> None:
    if isinstance(kind, type) and issubclass(kind, Struct) and kind not in found:
        found.add(kind)
        for field in fields(kind):
            _reached(field.type, found)
    for inner in getattr(kind, "__args__", ()):
        _reached(inner, found)
