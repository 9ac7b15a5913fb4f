"""Values are bound, never written into SQL, and patterns mean the same in both databases."""

from shared.store.flavor import POSTGRES, SQLITE, Bound, matches


def test_values_are_numbered_in_the_order_they_come() -> None:
    bound = Bound()
    assert [bound("a"), bound(5)] == ["$1", "$2"]
    assert bound.values == ["a", 5]


def test_a_text_without_a_wildcard_is_compared_whole() -> None:
    bound = Bound()
    assert matches("model", "gpt_5%[", SQLITE, bound) == "model = $1"
    assert matches("model", "gpt_5%[", POSTGRES, bound) == "model = $2"
    assert bound.values == ["gpt_5%[", "gpt_5%["]


def test_what_is_special_to_one_database_only_is_escaped_for_it() -> None:
    bound = Bound()
    assert matches("model", "a_%\\[x]?*", SQLITE, bound) == "model GLOB $1"
    assert matches("model", "a_%\\[x]?*", POSTGRES, bound) == "model LIKE $2"
    assert bound.values == ["a_%\\[[]x]?*", "a\\_\\%\\\\[x]_%"]
