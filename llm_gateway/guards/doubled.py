"""Members that stand twice somewhere in a request: guards would look at one of them, and a provider at the
other.
"""

import json
from typing import Any

from shared.errors import BadRequest

# What holds words. Some decoders find a member under its name in any case.
_SPOKEN = frozenset(("content", "text", "parts", "input", "output", "arguments", "thinking", "contents"))


def refuse_doubled(body: bytes) -> None:
    """Raises BadRequest."""
    try:
        json.loads(body, object_pairs_hook=_once)  # noqa: TID251  msgspec tells of no pairs
    except BadRequest:
        raise
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is no JSON, or is nested too deep to be looked at", cause=error) from error


def _once(pairs: list[tuple[str, Any]]) -> None:
    names = {name for name, _ in pairs}
    folded = [low for name in names if (low := name.casefold()) in _SPOKEN]
    if len(names) < len(pairs) or len(set(folded)) < len(folded):
        raise BadRequest("a member stands twice in one object: two readers could take two values")
