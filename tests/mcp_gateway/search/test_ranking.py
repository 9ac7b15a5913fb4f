"""Which tools fit some words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.search.ranking import ranked, stemmed, words

TOOLS = {
    "git__git_log": "Shows the commit logs of a repository",
    "git__git_commit": "Records changes to the repository",
    "fs__read_file": "Reads the complete contents of a file",
    "fs__listDirectory": "Lists files and directories",
    "mail__send_message": "Sends an e-mail message to recipients",
    "time__get_current_time": "Tells the current time in a timezone",
    "db__delete_row": "Deletes a row of a table",
}
DOCUMENTS = [words(name, text) for name, text in TOOLS.items()]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("commit history log", "git__git_log"),
        ("read a file", "fs__read_file"),
        ("list the directories", "fs__listDirectory"),
        ("sending emails to somebody", "mail__send_message"),
        ("what time is it", "time__get_current_time"),
        ("deleting rows", "db__delete_row"),
        ("DELETE_ROW", "db__delete_row"),
    ],
)
def test_what_fits_best_comes_first(query: str, best: str) -> None:
    assert list(TOOLS)[ranked(query, DOCUMENTS)[0]] == best


@pytest.mark.parametrize("query", ["", "the of and", "xylophone", "  \n"])
def test_what_fits_nothing_finds_nothing(query: str) -> None:
    assert ranked(query, DOCUMENTS) == []


def test_nothing_is_found_in_nothing() -> None:
    assert ranked("file", []) == []


def test_ways_to_write_a_name_agree() -> None:
    assert stemmed("listFiles") == stemmed("list_files") == stemmed("lists a file") == stemmed("LIST-FILE")


@given(st.text(max_size=200), st.lists(st.text(max_size=50), max_size=8))
def test_any_text_can_be_ranked(query: str, texts: list[str]) -> None:
    found = ranked(query, [words(text, text) for text in texts])
    assert len(set(found)) == len(found)
    assert all(0 <= place < len(texts) for place in found)
