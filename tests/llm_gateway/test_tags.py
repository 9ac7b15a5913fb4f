"""What callers may write on their calls."""

import pytest

from llm_gateway.tags import HEADER, read_tags
from shared.errors import BadRequest
from tests.support.exchange import exchange


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("beta", ("beta",)),
        ("beta, batch:nightly ,\tteam/x", ("beta", "batch:nightly", "team/x")),
        ("beta,beta,batch,beta", ("beta", "batch")),
        ("", ()),
        (" , ,", ()),
        (",".join(f"t{number}" for number in range(8)), tuple(f"t{number}" for number in range(8))),
    ],
)
def test_tags_are_names_between_commas(text: str, tags: tuple[str, ...]) -> None:
    assert read_tags(exchange(headers={HEADER: text})) == tags


def test_most_calls_have_none() -> None:
    assert read_tags(exchange()) == ()


@pytest.mark.parametrize("text", ["a b", "-a", "a;b", "é", "a" * 65, 'a"', ",".join("abcdefghi")])
def test_anything_else_is_refused_and_the_header_is_named(text: str) -> None:
    with pytest.raises(BadRequest, match=HEADER):
        read_tags(exchange(headers={HEADER: text}))


def test_a_header_that_stands_twice_is_refused() -> None:
    doubled = exchange(headers={HEADER: "a"})
    doubled.headers = [*doubled.headers, (HEADER.encode(), b"b")]
    with pytest.raises(BadRequest):
        read_tags(doubled)
