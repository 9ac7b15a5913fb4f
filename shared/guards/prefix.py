"""What may still become a match: for a regular expression, the one that matches every beginning of its
matches.

It is worked out from Python's parse of the expression and written for RE2, whose syntax is all but the same.
"""

from importlib import import_module
from typing import Any

# Python keeps its parser to itself; nothing else here would understand an expression. By name, because
# type checkers do not agree on whether these two modules exist.
op: Any = import_module("re._constants")
_parser: Any = import_module("re._parser")

_AT = {
    op.AT_BEGINNING: "^",
    op.AT_BEGINNING_STRING: r"\A",
    op.AT_END: "$",
    op.AT_END_STRING: r"\z",
    op.AT_BOUNDARY: r"\b",
    op.AT_NON_BOUNDARY: r"\B",
}
_CATEGORY = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}
# Past this, "so many" is read as "some": something is then held for longer than it had to be, and a long
# count would make a large and slow machine.
_COUNTED = 8
_FLAGS = {"i": 2, "m": 8, "s": 16}


class Unknown(Exception):
    """Something that stands in this expression has no beginning that could be told."""


def beginnings(pattern: str) -> str:
    """Raises Unknown."""
    try:
        tree = _parser.parse(pattern)
        flags = _flags(tree.state.flags)
        return f"(?{flags})" * bool(flags) + _sequence(list(tree))
    except Exception as error:  # whatever Python's parser makes of RE2's own additions
        raise Unknown(pattern) from error


def _sequence(nodes: list[Any]) -> str:
    """Nothing, a beginning of the first, or the first and a beginning of the rest."""
    made = ""
    for node in reversed(nodes):
        made = f"(?:{_whole(node)}{made}|{_begun(node)})"
    return made


def _begun(node: Any) -> str:
    """What a beginning of this one thing looks like, where there is more of it than a character."""
    kind, value = node
    if kind is op.BRANCH:
        return "(?:" + "|".join(_sequence(list(branch)) for branch in value[1]) + ")"
    if kind is op.SUBPATTERN:
        _, add, remove, inner = value
        return _scoped(add, remove, _sequence(list(inner)))
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
        _, most, inner = value
        some = "*" if most > _COUNTED else f"{{0,{max(0, most - 1)}}}"
        return f"(?:{_all(inner)}){some}{_sequence(list(inner))}"
    return ""


def _whole(node: Any) -> str:
    kind, value = node
    if kind is op.LITERAL:
        return _character(value)
    if kind is op.NOT_LITERAL:
        return f"[^{_character(value)}]"
    if kind is op.ANY:
        return "."
    if kind is op.IN:
        return _set(value)
    if kind is op.AT:
        return _AT[value]
    if kind is op.BRANCH:
        return "(?:" + "|".join(_all(branch) for branch in value[1]) + ")"
    if kind is op.SUBPATTERN:
        return _scoped(value[1], value[2], _all(value[3]))
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
        least, most, inner = value
        if most > _COUNTED:
            return f"(?:{_all(inner)}){'+' if least else '*'}"
        return f"(?:{_all(inner)}){{{least},{most}}}"
    raise Unknown(kind)


def _all(nodes: Any) -> str:
    return "".join(_whole(node) for node in nodes)


def _set(items: Any) -> str:
    parts = []
    for kind, value in items:
        if kind is op.NEGATE:
            parts.append("^")
        elif kind is op.LITERAL:
            parts.append(_character(value))
        elif kind is op.RANGE:
            parts.append(f"{_character(value[0])}-{_character(value[1])}")
        else:
            parts.append(_CATEGORY[value])
    return f"[{''.join(parts)}]"


def _character(code: int) -> str:
    return f"\\x{{{code:x}}}"


def _scoped(add: int, remove: int, inner: str) -> str:
    off = _flags(remove)
    return f"(?{_flags(add)}{'-' + off if off else ''}:{inner})"


def _flags(bits: int) -> str:
    return "".join(letter for letter, bit in _FLAGS.items() if bits & bit)
