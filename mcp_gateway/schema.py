"""A tool's input schema at work: are these arguments what the tool asks for, and if not, where. The only
door to jsonschema_rs.
"""

from typing import Any

import jsonschema_rs
import msgspec
from msgspec import Raw

from mcp_gateway import mirrors
from mcp_gateway.mirrors import Mirrors

# Values stay out of messages: they may be secrets, and the caller knows them.
_MASK = "the value"
_SHOWN = 300


class Arguments:
    """What a tool's schema says about its arguments. `usable` is false for a schema that cannot be applied
    (it is broken, or points outside of itself): the server has to check for itself then.
    """

    def __init__(self, schema: Raw) -> None:
        self.mirrors: Mirrors = ()
        self._validator: jsonschema_rs.Validator | None = None
        try:
            decoded: Any = msgspec.json.decode(schema) if bytes(schema) else True
            self._validator = jsonschema_rs.validator_for(
                decoded, mask=_MASK, offline=True, pattern_options=jsonschema_rs.RegexOptions()
            )
            self.mirrors = mirrors.mirrors(decoded)
        except (msgspec.DecodeError, RecursionError, ValueError):
            # jsonschema_rs raises subclasses of ValueError for schemas it cannot use.
            return

    @property
    def usable(self) -> bool:
        return self._validator is not None

    def problem(self, arguments: dict[str, Any]) -> str | None:
        """The first thing wrong, as `arguments.limit: what`; None when nothing is."""
        if self._validator is None:
            return None
        try:
            if self._validator.is_valid(arguments):
                return None
            error = next(iter(self._validator.iter_errors(arguments)), None)
        except ValueError as found:
            return f"arguments: {str(found)[:_SHOWN]}"
        if error is None:
            return None
        return f"{_place(error.instance_path)}: {error.message[:_SHOWN]}"


def _place(path: list[str | int]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "arguments" + "".join(steps)
