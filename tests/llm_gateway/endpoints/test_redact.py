"""A secret cut out of a stream: all of it, nothing else, and nothing is held back that needs not be."""

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gateway.endpoints.redact import Redactor


@given(st.lists(st.sampled_from([b"sec", b"ret", b"secret", b"s", b"x", b"cret", b"se"]), max_size=12))
@settings(max_examples=300, deadline=None)
def test_however_it_is_cut_nothing_else_is_lost(pieces: list[bytes]) -> None:
    redactor = Redactor([b"secret", b"cretx"])
    out = b"".join(map(redactor.feed, pieces)) + redactor.end()
    data = b"".join(pieces)
    assert len(out) == len(data)
    assert b"secret" not in out
    assert b"cretx" not in out
    assert all(a in (b, ord("*")) for a, b in zip(out, data, strict=True))
    assert b"*" not in out or b"secret" in data or b"cretx" in data


def test_only_what_may_be_the_beginning_of_a_secret_waits() -> None:
    redactor = Redactor([b"secret"])
    assert redactor.feed(b"data: 1\n\n") == b"data: 1\n\n"
    assert redactor.feed(b"some sec") == b"some "
    assert redactor.feed(b"tion") == b"section"
    assert redactor.feed(b"a secre") == b"a "
    assert redactor.end() == b"secre"
