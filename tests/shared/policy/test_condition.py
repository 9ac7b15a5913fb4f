from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.policy.condition import BadCondition, parse
from shared.policy.glob import covers

CTX: dict[str, Any] = {
    "tier": "gold",
    "team": "",
    "depth": 2,
    "actors": ("user:a", "agent:planner"),
    "taint": frozenset({"reads:private"}),
    "args": {"amount": 500, "path": "/data/a", "nested": {"deep": True}, "tags": ["x", "y"], "none": None},
    "tool": "git/log",
}


@pytest.mark.parametrize(
    "text",
    [
        'tier == "gold" and depth <= 2 and args.amount <= 500',
        '"untrusted" not in taint and via("agent:planner")',
        "args.nested.deep",
        'args.tags == ["x", "y"] and "x" in args.tags',
        'tier in ["gold", "silver"] and tier not in ("free",)',
        "0 < depth < 3 and depth != -2 and not team",
        'startswith(tool, "git/") and endswith(tool, "log") and matches("git/*", tool) and len(actors) == 2',
        'lower("GOLD") == tier',
        "args.none == None and True",
    ],
)
def test_what_conditions_can_say(text: str) -> None:
    assert parse(text).outcome(CTX) is True


@pytest.mark.parametrize(
    "text",
    [
        "args.currency == 5",
        "not (args.currency == 5)",
        "args.currency.code",
        "provider",
        'args.path < 5 or tier == "x"',
        "len(depth) == 1",
        'matches("*", args.tags)',
        "args.tags in taint",
        "tier.upper",
        "args.amount.real == 500",
        "startswith(depth, 1)",
    ],
)
def test_what_cannot_be_told_is_the_safe_answer_either_way(text: str) -> None:
    condition = parse(text)
    assert condition.outcome(CTX) is None
    assert condition.holds(CTX, unknown=True)
    assert not condition.holds(CTX, unknown=False)


def test_what_need_not_be_read_may_be_absent() -> None:
    assert parse('tier == "gold" or args.currency == 5').outcome(CTX) is True


def test_a_value_that_raises_when_it_is_looked_at_cannot_be_told() -> None:
    class Trap:
        def __bool__(self) -> bool:
            raise RuntimeError

    assert parse("args.x").outcome({"args": {"x": Trap()}}) is None


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("__import__('os')", "calls '__import__'"),
        ("args.__class__", "begin with __"),
        ("().__class__", "begin with __"),
        ("tier.upper()", "calls `Attribute`"),
        ("lambda: 1", "`Lambda`"),
        ("[x for x in actors]", "`ListComp`"),
        ("args['amount']", "`Subscript`"),
        ("2 ** 9", "`BinOp`"),
        ("depth + 1 > 2", "`BinOp`"),
        ("-depth", "do not calculate"),
        ("~1", "do not calculate"),
        ("tier is None", "use == or !="),
        ("f'{tier}'", "`JoinedStr`"),
        ("(tier := 'x')", "`NamedExpr`"),
        ("tier if depth else team", "`IfExp`"),
        ("{1: 2}", "`Dict`"),
        ("{1}", "`Set`"),
        ("b'x' == tier", "literal b'x'"),
        ("1j", "literal 1j"),
        ("...", "literal Ellipsis"),
        ("[tier] == args.tags", "other things than literals"),
        ("['a', len(tier)]", "other things than literals"),
        ("user == 'x'", "reads 'user'"),
        ("len", "reads 'len'"),
        ("via()", "takes 1"),
        ("via(*actors)", "`Starred`"),
        ("len(x=1)", "takes 1"),
        ("open('x')", "calls 'open'"),
        ("tier == 'gold' # and depth <= 2", "comment"),
        ("tier = 'gold'", "not an expression"),
        ("tier ==", "not an expression"),
        ("", "not an expression"),
        ("tier == 'x\x00'", "not an expression"),
        ("tier == '\ud800'", "not an expression"),
        ("import os", "not an expression"),
        ("not " * 60 + "tier", "nested more than"),
        ("(" * 300 + "tier" + ")" * 300, "not an expression"),
        ("args" + ".a" * 60, "nested more than"),
        ("tier == '" + "x" * 2000 + "'", "2000 is the limit"),
    ],
)
def test_everything_else_is_refused_with_what_and_where(text: str, about: str) -> None:
    with pytest.raises(BadCondition, match=about.replace("*", r"\*").replace("(", r"\(")):
        parse(text)


def test_the_names_that_a_condition_reads_are_known() -> None:
    assert parse('via("agent:p") and args.a.b == 1 and lower(tier) == "x"').names == {
        "actors",
        "args",
        "tier",
    }


_atoms = st.sampled_from(
    [
        *("tier", "team", "depth", "provider", "actors", "taint"),
        *("args.amount", "args.absent", "args.path", "args.tags", "args.nested.deep"),
        *('"gold"', "500", "2.0", "-1", "None", "True", '["x", "gold"]'),
        *("len(actors)", "len(depth)", "lower(tier)", 'via("user:a")'),
    ]
)
_compared = st.builds(
    lambda a, op, b: f"({a} {op} {b})",
    _atoms,
    st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"]),
    _atoms,
)
_expressions = st.recursive(
    st.one_of(_atoms, _compared),
    lambda inner: st.one_of(
        st.builds(lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from(["and", "or"]), inner),
        inner.map(lambda text: f"(not {text})"),
    ),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None, database=None)
@given(_expressions)
def test_a_condition_means_what_python_means_by_it(text: str) -> None:
    args = CTX["args"] | {"nested": SimpleNamespace(deep=True)}
    functions = {"len": len, "lower": str.lower, "matches": covers, "via": lambda who: who in CTX["actors"]}
    names = CTX | {"args": SimpleNamespace(**args)} | functions
    try:
        expected: bool | None = bool(eval(text, {"__builtins__": {}}, names))
    except (NameError, AttributeError, TypeError):
        expected = None
    assert parse(text).outcome(CTX) is expected
