"""One spelling for member names: Google's servers take `systemInstruction` and `system_instruction` alike,
and its own SDKs send both.
"""

import functools
from typing import Any

from shared.errors import BadRequest

# What stands in these is the caller's own, names included.
_OWN = frozenset(
    (
        "args",
        "response",
        "parameters",
        "parametersJsonSchema",
        "responseSchema",
        "responseJsonSchema",
        "partMetadata",
        "labels",
    )
)


def camel(value: Any) -> Any:
    """`value` with all names in camelCase and without nulls, which mean "absent" here. Raises BadRequest
    where one member stands twice, in two spellings.
    """
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for given, item in value.items():
        if item is None:
            continue
        name = spelled(given)
        if name in found:
            raise BadRequest(
                f"{name} stands twice, in two spellings: two readers could take two values",
                data={"param": name},
            )
        found[name] = item if name in _OWN else camel(item)
    return found


@functools.lru_cache(maxsize=1024)
def spelled(name: str) -> str:
    """A member's name in camelCase."""
    if "_" not in name:
        return name
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)
