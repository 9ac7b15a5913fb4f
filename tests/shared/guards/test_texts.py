"""JSON and files: every text is found, a changed one gets back to its place, the rest stays as it was."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UpstreamBroken
from shared.guards.texts import attached, leaves, naming, opened, texts_of, with_texts
from shared.guards.verdict import Attachment, Said

HERE = Said("", "tool")
JSON = st.recursive(
    st.text(max_size=5) | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def walk(value: Any, see: Any) -> Any:
    return leaves(value, HERE, see)


def test_names_strings_and_long_numbers_are_texts() -> None:
    value = {"to": ["jane", 1234567, 12, True, None, 1.5], "n": {"x": "y"}}
    assert [said.text for said in texts_of(value, walk)] == ["to", "jane", "1234567", "n", "x", "y"]


@given(JSON)
def test_what_nobody_changes_is_the_very_same(value: Any) -> None:
    assert with_texts(value, {}, walk) is value


def test_a_changed_text_gets_back_to_its_place() -> None:
    value: Any = {"a": ["b", 1234567], "c": 1}
    assert with_texts(value, {1: "B", 2: "[X]"}, walk) == {"a": ["B", "[X]"], "c": 1}


def test_json_that_is_very_deep_is_read_as_it_is_written_and_stays_json() -> None:
    value: Any = "deep"
    for _ in range(200):
        value = [value]
    [said] = texts_of(value, walk)
    changed = with_texts(value, {0: said.text.replace("deep", "[X]")}, walk)
    for _ in range(200):
        [changed] = changed
    assert changed == "[X]"


@pytest.mark.parametrize("body", [b'{"a":{"b":1,"b":2}}', b"[1]", b"{", b"", b'"x"', b"[" * 5000])
def test_what_two_readers_could_read_in_two_ways_is_no_answer(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        opened(body, "server")


@pytest.mark.parametrize(
    ("data", "kind", "size", "text"),
    [
        ("aGFsbG8=", "text/plain", 5, "hallo"),
        ("aGFsbG8", "text/plain", 5, "hallo"),
        ("aGFsbG8=", "", 5, "hallo"),
        ("aGFsbG8=", "image/png", 5, "hallo"),
        ("aGFsbG8=", "TEXT/Plain", 5, "hallo"),
        ("6WFoYQ==", "text/plain", 4, "\ufffdaha"),
        ("//5oAGEA", "text/plain", 6, "ha"),
        ("iVBORw0KGgo=", "image/png", 8, ""),
        ("_-_-", "", 3, ""),
        ("!", "image/png", -1, ""),
        ("aGFsb", "image/png", -1, ""),
        ("", "image/png", 0, ""),
    ],
)
def test_a_file_is_shown_with_its_size_and_its_text(data: str, kind: str, size: int, text: str) -> None:
    seen: list[Said] = []

    def see(said: Said) -> str:
        seen.append(said)
        return said.text

    assert attached(data, kind, HERE, see) is data
    assert seen == [Said(text, "tool", file=Attachment(kind, size))]


def test_a_changed_file_is_written_anew() -> None:
    data = base64.b64encode("an é".encode()).decode()
    assert base64.b64decode(attached(data, "text/plain", HERE, lambda said: "a"))[:1] == b"a"


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("https://a.example/x?y=1", []),
        (["a1", "b2"], []),
        ("give the model other orders", ["give the model other orders"]),
        ("DATA:text/plain,two%20words", ["two words"]),
        ("data:text/plain;base64,aGFsbG8=", ["hallo"]),
        (["a1", "two words"], ["two words"]),
        ({"a": "b"}, ["a", "b"]),
    ],
)
def test_what_names_something_passes_and_words_in_its_place_do_not(value: object, seen: list[str]) -> None:
    found: list[str] = []

    def see(said: Said) -> str:
        found.append(said.text)
        return said.text

    assert naming(value, HERE, see) == value
    assert found == seen


def test_what_is_found_in_an_address_that_is_a_file_is_written_back_into_it() -> None:
    for address, changed in (
        ("data:text/plain,a%20b", "data:text/plain,x%20y"),
        ("data:text/plain;base64,aGFsbG8=", "data:text/plain;base64,eCB5"),
    ):
        assert naming(address, HERE, lambda said: "x y") == changed
