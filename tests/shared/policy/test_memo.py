from typing import Any

import pytest

from shared.policy.memo import Memo, values


def test_a_memo_never_holds_more_than_its_size() -> None:
    memo: Memo[int] = Memo(10)
    for n in range(1_000):
        memo.remember((n,), n)
        assert memo.get((n,)) == n
    assert len(memo) <= 10


def test_a_memo_of_no_size_holds_nothing() -> None:
    memo: Memo[int] = Memo(0)
    memo.remember(("a",), 1)
    assert memo.get(("a",)) is None


def test_long_names_are_not_kept() -> None:
    memo: Memo[int] = Memo(10)
    memo.remember(("model:" + "x" * 10_000,), 1)
    assert len(memo) == 0


def test_an_absent_value_is_not_a_none() -> None:
    assert values(("team",), {}) != values(("team",), {"team": None})


@pytest.mark.parametrize("value", [{"a": 1}, ["a"], {"a"}, ([],), ({"a": 1},), (1, 2), object(), bytearray()])
def test_what_could_change_or_cannot_be_compared_is_no_key(value: Any) -> None:
    assert values(("args",), {"args": value}) is None


def test_plain_values_are_a_key() -> None:
    ctx = {"tier": "gold", "depth": 1, "actors": ("user:a",), "taint": frozenset({"x"})}
    assert values(tuple(ctx), ctx) == tuple(ctx.values())
