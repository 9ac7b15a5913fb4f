"""Patterns meet, hold or miss each other exactly as the names they cover do."""

from hypothesis import given
from hypothesis import strategies as st

from shared.policy.extent import Extents, share
from shared.policy.glob import covers, overlaps
from shared.policy.roles import Catalogs

_texts = st.text("ab*", max_size=5)
_plain = st.text("abc", max_size=7)


@given(_texts, _texts, _plain)
def test_a_name_that_both_cover_is_where_they_overlap(one: str, other: str, name: str) -> None:
    if covers(one, name) and covers(other, name):
        assert overlaps(one, other)
        assert overlaps(other, one)


@given(_texts, _texts)
def test_patterns_that_overlap_have_a_name_in_common(one: str, other: str) -> None:
    if overlaps(one, other):
        heads = max(one.partition("*")[0], other.partition("*")[0], key=len)
        tails = max(one.rpartition("*")[2], other.rpartition("*")[2], key=len)
        inner = one.replace("*", "") + other.replace("*", "")
        names = (one, other, heads + inner + tails) if "*" in one and "*" in other else (one, other)
        assert any(covers(one, name) and covers(other, name) for name in names)


@given(_texts, _texts, _plain)
def test_what_is_held_whole_is_covered_name_by_name(outer: str, inner: str, name: str) -> None:
    whole = share((outer,), (inner,))
    if covers(inner, name):
        assert whole is not True or covers(outer, name)
        assert not covers(outer, name) or whole is not None


@given(st.lists(_texts, min_size=1, max_size=4), st.lists(_texts, min_size=1, max_size=4))
def test_many_patterns_share_what_pairs_of_them_share(outer: list[str], inner: list[str]) -> None:
    pairs = [[share((mine,), (theirs,)) for mine in outer] for theirs in inner]
    found = share(tuple(outer), tuple(inner))
    assert (found is None) == all(pair is None for row in pairs for pair in row)
    assert (found is True) == all(True in row for row in pairs)


def test_a_catalog_stands_for_all_that_is_grouped_in_it_at_any_depth() -> None:
    extents = Extents(
        Catalogs(
            [
                ("tool:a/*", "catalog:a"),
                ("catalog:a", "catalog:b"),
                ("model:x", "catalog:b"),
                ("catalog:b", "catalog:a"),
            ]
        )
    )
    assert set(extents.of("catalog:b")) == {"tool:a/*", "model:x"}
    assert extents.of("catalog:nothing") == ()
    assert extents.of("tool:*") == ("tool:*",)
