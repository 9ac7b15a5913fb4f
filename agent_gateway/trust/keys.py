"""Keys that may sign an agent's card, from a file beside the configuration (a JWK Set, RFC 7517)."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from agent_gateway.config import AgentEntry
from shared.agents import trusted_keys
from shared.errors import BadRequest
from shared.identity.detached import TrustedKey


def keys_of(
    agents: Mapping[str, AgentEntry], path: Callable[[str], Path]
) -> dict[str, tuple[TrustedKey, ...]]:
    """By agent. Raises BadRequest for a file that is no key set: an agent must not pass unchecked for it."""
    found = {}
    for name, entry in agents.items():
        if file := entry.trust.jwks_file:
            try:
                keys = msgspec.json.decode(path(file).read_bytes(), type=dict[str, list[dict[str, Any]]])
                found[name] = trusted_keys(tuple(keys["keys"]))
            except (OSError, ValueError, KeyError) as error:
                raise BadRequest(f"agents.{name}.trust.jwks_file: {file} is no key set: {error}") from error
    return found
