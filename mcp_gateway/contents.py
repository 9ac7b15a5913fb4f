"""Where the texts are in what a client calls with and in what a server answers.

Everything is looked at but what names things (items, URIs, types, tokens) and what nobody reads as words
(pictures, sounds, files that are none of text).
"""

import re
from typing import Any

from mcp_gateway.methods import KEYS
from shared.guards.texts import See, attached, elements, leaves, members, naming
from shared.guards.verdict import Said

Json = dict[str, Any]
# What is called, and what a server wants back as it was.
_NAMES = frozenset((*KEYS.values(), "ref", "requestState"))
# How a result and its blocks are to be read. Nothing that is longer, or has a blank, is taken for that.
_FORM = frozenset(("type", "role", "mimeType", "resultType", "cacheScope"))
# Nobody reads these but who wrote them.
_TOKENS = frozenset(("requestState", "nextCursor", "progressToken"))
_WORD = re.compile(r"[\w.+/*;=:-]{0,200}")
_BASE64 = re.compile(r"[A-Za-z0-9+/=_\r\n-]*")
_CALL, _ANSWER = Said("", "call"), Said("", "tool")


def walk_params(params: Json, see: See) -> Json:
    """A call's parameters with every text as `see` leaves it; the same object where nothing has changed."""
    return members(params, lambda name, value: value if name in _NAMES else leaves(value, _CALL, see))


def walk_answer(answer: Json, see: See) -> Json:
    """The same for what a server says: a result, an error, the parameters of a notification."""

    def visit(name: str, value: Any) -> Any:
        if name in ("content", "contents"):
            return _blocks(value, see)
        if name == "messages" and isinstance(value, list):
            return elements(value, lambda message: _block(message, see))
        return _member(name, value, see)

    return members(answer, visit)


def _blocks(value: Any, see: See) -> Any:
    """One block or several."""
    return (
        elements(value, lambda block: _block(block, see)) if isinstance(value, list) else _block(value, see)
    )


def _block(block: Any, see: See) -> Any:
    """A block of content, a resource's content, or a message of a prompt."""
    if not isinstance(block, dict):
        return leaves(block, _ANSWER, see)
    kind = block.get("mimeType")

    def visit(name: str, value: Any) -> Any:
        if name in ("data", "blob") and isinstance(value, str) and _BASE64.fullmatch(value):
            return attached(value, kind if isinstance(kind, str) else "", _ANSWER, see)
        if name in ("content", "resource"):
            return _blocks(value, see)
        return _member(name, value, see)

    return members(block, visit)


def _member(name: str, value: Any, see: See) -> Any:
    if name in _FORM and isinstance(value, str) and _WORD.fullmatch(value):
        return value
    if name == "uri":
        return naming(value, _ANSWER, see)
    return value if name in _TOKENS else leaves(value, _ANSWER, see)
