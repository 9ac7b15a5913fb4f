import pytest

from shared.policy import in_scope


def test_an_empty_scope_narrows_nothing() -> None:
    assert in_scope((), "tool:git/log")


@pytest.mark.parametrize(
    ("resource", "open_"),
    [
        ("tool:git/log", True),
        ("model:x", True),
        ("tool:gitlab/log", False),
        ("tool:*", False),
        ("model:x2", False),
    ],
)
def test_a_scope_leaves_open_what_its_patterns_cover(resource: str, open_: bool) -> None:
    assert in_scope(("tool:git/*", "model:x"), resource) == open_
