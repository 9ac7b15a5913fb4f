"""Results that are too much for whoever has to read them: too long, nested too deeply, of too many values."""

from typing import Any

import msgspec

from mcp_gateway.config import ServerRule
from shared.errors import UpstreamBroken


def defuse(server: str, rule: ServerRule, result: bytes) -> None:
    """Raises UpstreamBroken, before anybody has to hold such a result as values."""
    if rule.max_result_bytes is not None and len(result) > rule.max_result_bytes:
        raise UpstreamBroken(
            f"the MCP server {server!r} answered with more than {rule.max_result_bytes} bytes"
        )
    # No value without one of these characters: most results are known to be harmless without a parser.
    opened = result.count(b"{") + result.count(b"[")
    if opened <= rule.max_result_depth and opened + result.count(b",") < rule.max_result_items:
        return
    try:
        deep, many = _measured(msgspec.json.decode(result), rule.max_result_depth)
    except RecursionError:
        deep, many = True, 0
    if deep:
        raise UpstreamBroken(
            f"the MCP server {server!r} answered with more than {rule.max_result_depth} levels"
        )
    if many > rule.max_result_items:
        raise UpstreamBroken(
            f"the MCP server {server!r} answered with more than {rule.max_result_items} values"
        )


def _measured(value: Any, deepest: int) -> tuple[bool, int]:
    """Whether anything lies too deep, and how many values there are; level by level, without recursion."""
    level, count = [value], 0
    for _ in range(deepest + 1):
        count += len(level)
        level = [child for parent in level if isinstance(parent, dict | list) for child in _children(parent)]
        if not level:
            return False, count
    return True, count


def _children(parent: Any) -> Any:
    return parent.values() if isinstance(parent, dict) else parent
