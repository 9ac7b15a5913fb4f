"""HTTP/1.1 with less work says on the wire what h11 would say."""

import h11
import pytest
from h11._headers import Headers
from hypothesis import example, given
from hypothesis import strategies as st

from shared.http1 import Fields, _headers

NAMES = st.sampled_from(
    [b"x-a", b"X-A", b"Content-Length", b"content-length", b"Transfer-Encoding", b"connection"]
)
VALUES = st.sampled_from([b"", b"12", b"12, 12", b"-1", b"chunked", b"close", b"a b", b"\xff", b"1" * 25])
ANY = st.binary(max_size=4).map(bytes.strip)


def sent(headers: Headers | Fields) -> bytes | str:
    """As it goes out after a whole request, or what is objected to."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    connection.next_event()
    try:
        return connection.send(h11.Response(headers=headers, status_code=200))
    except h11.LocalProtocolError as error:
        return str(error)


@given(st.lists(st.tuples(NAMES | ANY, VALUES | ANY), max_size=5))
@example([(b"x-a", b"one\r\nx-b: two")])
@example([(b"x a", b"one")])
@example([(b"content-length", b"3"), (b"content-length", b"4")])
@example([(b"transfer-encoding", b"12")])
def test_an_answers_fields_are_what_h11_makes_of_them(fields: Fields) -> None:
    assert sent(_headers(fields)) == sent(fields)


def test_fields_without_a_fault_are_not_left_to_h11() -> None:
    found = _headers([(b"X-Call", b"c1"), (b"content-length", b"3")])
    assert isinstance(found, Headers)
    assert list(found) == [(b"x-call", b"c1"), (b"content-length", b"3")]


@pytest.mark.parametrize("value", [b"a\nb", b"a\rb", b"a\x00b"])
def test_nothing_that_would_begin_another_field_is_sent(value: bytes) -> None:
    assert isinstance(sent(_headers([(b"x-a", value)])), str)
