"""The language of `cond`: a Python expression cut down to names, literals, comparisons, and/or/not and a few
functions.

It is parsed and rebuilt node by node, so that nothing reaches the compiler that is not listed here, and
compiled once. A condition that cannot be evaluated (an absent name, a wrong type) counts as what is safe for
its rule.
"""

import ast
import io
import operator
import tokenize
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from shared.policy.glob import covers


def _matches(pattern: object, text: object) -> bool:
    if not isinstance(pattern, str) or not isinstance(text, str):
        raise TypeError
    return covers(pattern, text)


# fmt: off
NAMES = frozenset((
    "sub", "actor", "actors", "hop", "depth", "tenant", "team", "project", "tier", "roles", "key",
    "model", "provider", "server", "tool", "args", "agent", "skill", "labels", "taint", "tags",
    "method", "path", "hour", "weekday",
))
# fmt: on
# Each with how many arguments it takes. Methods of str refuse everything that is not text.
FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "via": (operator.contains, 1),
    "startswith": (str.startswith, 2),
    "endswith": (str.endswith, 2),
    "matches": (_matches, 2),
    "len": (len, 1),
    "lower": (str.lower, 1),
}
LONGEST = 2_000
_DEEPEST = 40
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)
_GLOBALS: dict[str, Any] = {"__builtins__": {}} | {
    name: function for name, (function, _) in FUNCTIONS.items()
}


class BadCondition(ValueError):
    """Says what is wrong with a condition, and where."""


class Condition:
    """A compiled condition and the names it reads."""

    __slots__ = ("_run", "names", "text")

    def __init__(self, text: str, names: frozenset[str], run: Callable[[Mapping[str, Any]], Any]) -> None:
        self.text, self.names, self._run = text, names, run

    def outcome(self, ctx: Mapping[str, Any]) -> bool | None:
        """True, False, or None where it cannot be told."""
        try:
            return bool(self._run(ctx))
        except Exception:
            return None

    def holds(self, ctx: Mapping[str, Any], *, unknown: bool) -> bool:
        """Whether it holds, and `unknown` where that cannot be told."""
        try:
            return bool(self._run(ctx))
        except Exception:
            return unknown


@lru_cache(maxsize=8192)
def parse(text: str, known: frozenset[str] = NAMES) -> Condition:
    """Compiles `text`, which may read the names in `known`. Raises BadCondition."""
    if len(text) > LONGEST:
        raise BadCondition(f"is {len(text)} characters long, and {LONGEST} is the limit")
    try:
        _refuse_comments(text)
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise BadCondition(f"is not an expression: {error.msg} (column {error.offset})") from error
    except (ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise BadCondition(f"is not an expression: {error}") from error
    builder = _Builder(known)
    body = builder.build(tree.body, 0)
    arguments = ast.arguments(
        posonlyargs=[], args=[ast.arg(arg="c")], kwonlyargs=[], kw_defaults=[], defaults=[]
    )
    made = ast.fix_missing_locations(ast.Expression(body=ast.Lambda(args=arguments, body=body)))
    run = eval(compile(made, "<condition>", "eval"), _GLOBALS)  # noqa: S307  every node of it was made below
    return Condition(text, frozenset(builder.names), run)


def _refuse_comments(text: str) -> None:
    # Folded onto one line, as YAML does it, a comment would silently swallow the rest of the condition.
    for token in tokenize.generate_tokens(io.StringIO(text.strip()).readline):
        if token.type == tokenize.COMMENT:
            raise BadCondition(
                f"has a comment (column {token.start[1] + 1}): explain it beside the rule instead"
            )


class _Builder:
    """Makes a new tree out of the listed nodes only, and collects the names that it reads."""

    def __init__(self, known: frozenset[str]) -> None:
        self.names: set[str] = set()
        self._known = known

    def build(self, node: ast.expr, depth: int) -> ast.expr:
        make = _NODES.get(type(node))
        if make is None:
            raise BadCondition(f"uses {_called(node)}, which conditions do not have{_at(node)}")
        if depth > _DEEPEST:
            raise BadCondition(f"is nested more than {_DEEPEST} deep{_at(node)}")
        return make(self, node, depth + 1)

    def name(self, node: ast.Name, depth: int) -> ast.expr:
        if node.id not in self._known:
            known = ", ".join(sorted(self._known))
            raise BadCondition(f"reads {node.id!r}, which no call has{_at(node)} (known: {known})")
        return self._read(node.id)

    def attribute(self, node: ast.Attribute, depth: int) -> ast.expr:
        if node.attr.startswith("__"):
            raise BadCondition(f"reads {node.attr!r}{_at(node)}: names that begin with __ are closed")
        # A key of a dict and never an attribute of an object.
        return _item(self.build(node.value, depth), node.attr)

    def comparison(self, node: ast.Compare, depth: int) -> ast.expr:
        for comparison in node.ops:
            if not isinstance(comparison, _COMPARISONS):
                raise BadCondition(f"compares with `is`{_at(node)}: use == or !=")
        sides = [self.build(side, depth) for side in node.comparators]
        return ast.Compare(left=self.build(node.left, depth), ops=node.ops, comparators=sides)

    def logic(self, node: ast.BoolOp, depth: int) -> ast.expr:
        return ast.BoolOp(op=node.op, values=[self.build(value, depth) for value in node.values])

    def unary(self, node: ast.UnaryOp, depth: int) -> ast.expr:
        if isinstance(node.op, ast.Not):
            return ast.UnaryOp(op=node.op, operand=self.build(node.operand, depth))
        operand = node.operand
        number = isinstance(operand, ast.Constant) and type(operand.value) in (int, float)
        if not isinstance(node.op, ast.USub) or not number:
            raise BadCondition(f"calculates{_at(node)}: conditions compare, they do not calculate")
        return ast.UnaryOp(op=node.op, operand=self.build(operand, depth))

    def constant(self, node: ast.Constant, depth: int) -> ast.expr:
        if node.value is not None and type(node.value) not in (str, int, float, bool):
            raise BadCondition(
                f"has a literal {node.value!r}{_at(node)}: use text, numbers, True, False, None, lists"
            )
        return ast.Constant(value=node.value)

    def sequence(self, node: ast.List | ast.Tuple, depth: int) -> ast.expr:
        for element in node.elts:
            if not isinstance(element, ast.Constant | ast.UnaryOp | ast.List | ast.Tuple):
                raise BadCondition(f"has a list of other things than literals{_at(element)}")
        return type(node)(elts=[self.build(element, depth) for element in node.elts], ctx=ast.Load())

    def call(self, node: ast.Call, depth: int) -> ast.expr:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            raise BadCondition(f"calls {_called(node.func)}{_at(node)} (known: {', '.join(FUNCTIONS)})")
        wanted = FUNCTIONS[name][1]
        if node.keywords or len(node.args) != wanted:
            raise BadCondition(f"calls {name}{_at(node)}, which takes {wanted} plain argument(s)")
        arguments = [self.build(argument, depth) for argument in node.args]
        if name == "via":
            arguments.insert(0, self._read("actors"))
        return ast.Call(func=ast.Name(id=name, ctx=ast.Load()), args=arguments, keywords=[])

    def _read(self, name: str) -> ast.expr:
        self.names.add(name)
        return _item(ast.Name(id="c", ctx=ast.Load()), name)


_NODES: dict[type[ast.expr], Callable[[_Builder, Any, int], ast.expr]] = {
    ast.Name: _Builder.name,
    ast.Attribute: _Builder.attribute,
    ast.Compare: _Builder.comparison,
    ast.BoolOp: _Builder.logic,
    ast.UnaryOp: _Builder.unary,
    ast.Constant: _Builder.constant,
    ast.List: _Builder.sequence,
    ast.Tuple: _Builder.sequence,
    ast.Call: _Builder.call,
}


def _item(value: ast.expr, key: str) -> ast.expr:
    return ast.Subscript(value=value, slice=ast.Constant(value=key), ctx=ast.Load())


def _called(node: ast.expr) -> str:
    return repr(node.id) if isinstance(node, ast.Name) else f"`{type(node).__name__}`"


def _at(node: ast.expr) -> str:
    return f" (column {node.col_offset + 1})"
