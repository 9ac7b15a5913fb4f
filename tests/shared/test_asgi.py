"""An exchange reads no more than it may, tells what stands twice, and does its book-keeping before the last
byte.
"""

import asyncio

import pytest

from shared.asgi import Message, Patience, forwardable
from shared.errors import BadRequest, ClientGone, TooLarge
from tests.support.exchange import Wire, exchange


async def test_a_body_is_read_whole_whatever_its_chunks() -> None:
    assert await exchange(wire=Wire([b"one", b"", b"two"])).body(100) == b"onetwo"


async def test_a_body_over_the_cap_is_refused_announced_or_not() -> None:
    with pytest.raises(TooLarge, match="50000000 bytes and 10"):
        await exchange(headers={"content-length": "50000000"}).body(10)
    with pytest.raises(TooLarge, match="10 bytes"):
        await exchange(wire=Wire([b"x" * 6, b"x" * 6])).body(10)


@pytest.mark.parametrize(
    ("method", "version", "headers", "expected"),
    [
        ("POST", "1.1", {}, False),
        ("POST", "1.1", {"content-length": "3"}, True),
        ("POST", "2", {}, True),
        ("GET", "2", {}, False),
    ],
)
def test_http2_sends_bodies_without_announcing_them(
    method: str, version: str, headers: dict[str, str], expected: bool
) -> None:
    one = exchange(method=method, headers=headers, http_version=version)
    assert one.expects_body is expected


async def test_a_client_that_leaves_while_sending_is_gone() -> None:
    wire = Wire()
    wire.incoming = [{"type": "http.request", "body": b"x", "more_body": True}]
    with pytest.raises(ClientGone):
        await exchange(wire=wire).body(10)


async def test_a_header_that_stands_twice_is_refused_where_it_decides() -> None:
    one = exchange()
    one.headers = [(b"authorization", b"a"), (b"authorization", b"b")]
    with pytest.raises(BadRequest, match="authorization"):
        one.header("authorization")
    assert one.header_or_none("authorization") is None


async def test_the_books_are_closed_before_the_last_byte_leaves() -> None:
    wire = Wire()
    one = exchange(wire=wire)
    sent_before: list[int] = []

    async def close() -> None:
        sent_before.append(len(wire.sent))

    one.before_last = close
    await one.start(200, [])
    await one.write(b"a")
    await one.finish(b"b")
    assert sent_before == [2]
    assert wire.body == b"ab"
    assert one.finished


def test_hop_by_hop_headers_and_those_that_connection_names_stay_behind() -> None:
    headers = [
        (b"Connection", b"close, X-Secret"),
        (b"X-Secret", b"1"),
        (b"TE", b"trailers"),
        (b"a", b"1"),
        (b"b", b"2"),
    ]
    assert forwardable(headers, frozenset((b"b",))) == [(b"a", b"1")]


async def test_a_client_that_stops_in_the_middle_of_its_body_is_not_waited_for() -> None:
    class Stalled(Wire):
        async def receive(self) -> Message:
            if self.incoming:
                return self.incoming.pop(0)
            await asyncio.wait_for(asyncio.Event().wait(), 5)
            raise AssertionError

    for patience, said in ((Patience(idle=0.01), "nothing more of"), (Patience(whole=0.01), "was not there")):
        wire = Stalled()
        wire.incoming = [{"type": "http.request", "body": b"half", "more_body": True}]
        stalled = exchange(wire=wire)
        stalled.patience = patience
        with pytest.raises(BadRequest, match=said):
            await stalled.body(100)
