"""What the service behind saw, against what policy saw: over raw sockets, no trick with a request's framing
or path makes two of them, or another one, of it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api_gateway.fronted import Front, fronted
from tests.api_gateway.witness import Witness, witness

# Without a key, so that its answer is known by its status.
LAST = b"GET /r0/last HTTP/1.1\r\nhost: y\r\nconnection: close\r\n\r\n"
HIDDEN = b"GET /r1/smuggled HTTP/1.1\r\nhost: x\r\n\r\n"


@contextlib.asynccontextmanager
async def watched(directory: Path) -> AsyncIterator[tuple[Front, Witness, Witness]]:
    async with witness() as first, witness() as second, fronted(directory, *_two(first, second)) as front:
        yield front, first, second


def _two(first: Witness, second: Witness) -> tuple[dict[str, list[str]], ...]:
    return {"urls": [first.url]}, {"urls": [second.url]}


async def raw(front: Front, head: bytes, body: bytes = b"") -> list[int]:
    """The statuses that come back for the bytes of one connection, until it is closed: there is one for the
    request that asks for that, unless an earlier one has ended it.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
    try:
        key = f"authorization: Bearer {front.key}\r\n".encode()
        body = body.replace(b"host: x\r\n", b"host: x\r\n" + key)
        first, _, rest = head.partition(b"\r\n")
        writer.write(first + b"\r\n" + key + rest + b"\r\n\r\n" + body + LAST)
        with contextlib.suppress(ConnectionError):
            answers = await asyncio.wait_for(reader.read(), 10)
            found = [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]]
            return found[:-1] if found[-1:] == [401] else found
        return []
    finally:
        writer.close()


POST = b"POST /r0/x HTTP/1.1\r\nhost: edge.test\r\n"
CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"
REFUSED = {
    "two lengths": (b"content-length: 5\r\ncontent-length: 60", b"hello" + HIDDEN),
    "two lengths in one": (b"content-length: 5, 60", b"hello" + HIDDEN),
    "both": (b"content-length: 5\r\ntransfer-encoding: chunked", b"0\r\n\r\n" + HIDDEN),
    "both, the other way": (b"transfer-encoding: chunked\r\ncontent-length: 3", b"0\r\n\r\n" + HIDDEN),
    "a signed length": (b"content-length: +5", b"hello" + HIDDEN),
    "a negative length": (b"content-length: -5", b"hello" + HIDDEN),
    "a length in hex": (b"content-length: 0x5", b"hello" + HIDDEN),
    "a length with a space": (b"content-length: 5 0", b"hello" + HIDDEN),
    "no length": (b"content-length:", b"hello" + HIDDEN),
    "another coding": (b"transfer-encoding: gzip, chunked", CHUNKED + HIDDEN),
    "a coding twice": (b"transfer-encoding: chunked\r\ntransfer-encoding: identity", CHUNKED + HIDDEN),
    "a coding misspelt": (b"transfer-encoding: xchunked", CHUNKED + HIDDEN),
    "a coding after a tab": (b"transfer-encoding: \x0bchunked", CHUNKED + HIDDEN),
    "a space before the colon": (b"transfer-encoding : chunked", CHUNKED + HIDDEN),
    "a size that is none": (b"transfer-encoding: chunked", b"zz\r\nhello\r\n0\r\n\r\n" + HIDDEN),
    "a negative size": (b"transfer-encoding: chunked", b"-5\r\nhello\r\n0\r\n\r\n" + HIDDEN),
    "a size with 0x": (b"transfer-encoding: chunked", b"0x5\r\nhello\r\n0\r\n\r\n" + HIDDEN),
    "a size beyond all": (b"transfer-encoding: chunked", b"f" * 40 + b"\r\nhello\r\n0\r\n\r\n" + HIDDEN),
    "a chunk that is longer": (b"transfer-encoding: chunked", b"2\r\nhello\r\n0\r\n\r\n" + HIDDEN),
    "a chunk without an end": (b"transfer-encoding: chunked", b"5\r\nhelloXX0\r\n\r\n" + HIDDEN),
    "a header name with a space": (b"x y: 1", b""),
    "a null in a value": (b"x-a: a\x00b", b""),
    "a return in a value": (b"x-a: a\rtxn-token: evil", b""),
    "no colon": (b"x-a", b""),
    "two hosts": (b"host: other.test", b""),
}


async def test_a_request_with_two_readings_is_refused_and_nobody_sees_it(tmp_path: Path) -> None:
    async with watched(tmp_path) as (front, first, second):
        for trick, (headers, body) in REFUSED.items():
            statuses = await raw(front, POST + headers, body)
            assert await raw(front, POST + b"content-length: 5", b"after") == [200], trick
            # What began to come in before it was broken may have been begun to be sent on.
            assert [seen.body for seen in first.seen if seen.body] == [b"after"], trick
            assert statuses[:1] != [200], trick
            assert len(statuses) <= 1, trick
            first.seen.clear()
        assert second.seen == []


ONE = {
    "a length twice": (b"content-length: 5\r\ncontent-length: 5", b"hello"),
    "chunks": (b"transfer-encoding: chunked", CHUNKED),
    "a chunk's extension": (b"transfer-encoding: chunked", b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    "trailers that claim": (
        b"transfer-encoding: chunked",
        b"5\r\nhello\r\n0\r\ntxn-token: evil\r\ncontent-length: 9\r\n\r\n",
    ),
    "a folded value": (b"content-length: 5\r\nx-a: 1\r\n txn-token: evil", b"hello"),
    "a bare line feed": (b"content-length: 5\nx-a: 1", b"hello"),
    "connection names ours": (b"content-length: 5\r\nconnection: txn-token, traceparent, host", b"hello"),
    "an underscore": (b"content-length: 5\r\ntxn_token: evil\r\ncontent_length: 99", b"hello"),
    "upgrade": (b"content-length: 5\r\nconnection: upgrade\r\nupgrade: h2c", b"hello"),
}


@pytest.mark.parametrize("trick", ONE)
async def test_what_is_one_request_stays_that_one(tmp_path: Path, trick: str) -> None:
    headers, body = ONE[trick]
    async with watched(tmp_path) as (front, first, second):
        statuses = await raw(front, POST + headers, body + HIDDEN.replace(b"/r1/", b"/r0/"))
        told = [entry for entry in await front.closed() if entry.decision == "allow"]
    assert statuses[0] == 200
    assert len(first.seen) == len(told) == statuses.count(200)
    one = first.seen[0]
    assert (one.target, one.body) == ("/r0/x", b"hello")
    [token] = one.all("txn-token")
    assert "evil" not in token
    assert one.all("txn_token") == []
    assert len(one.all("content-length") + one.all("transfer-encoding")) == 1
    assert second.seen == []


PATHS = [
    "/r0/../r1/x",
    "/r0/%2e%2e/r1/x",
    "/r0/.%2e/r1/x",
    "/r0/%2E%2E%2Fr1/x",
    "/r0/%252e%252e/r1/x",
    "/r0/..;/r1/x",
    "/r0/;/../r1/x",
    "/r0;/r1/x",
    "/r1;x=1/../r0/x",
    "//r1/x",
    "/r0//r1/x",
    "/r0\\..\\r1/x",
    "/r0/%5c..%5cr1/x",
    "/R1/x",
    "/%72%31/x",
    "/r%31/x",
    "/r0/%00/../r1/x",
    "/r0/%c0%ae%c0%ae/r1/x",
    "/r0/%ef%bc%8e%ef%bc%8e/r1/x",
    "/r0/%u002e%u002e/r1/x",
    "/r\u0131".encode().decode("latin-1") + "/x",
    "/r0/x?/../r1/x",
    "/r0/x#/../r1/x",
    "/r0/x%23/../r1/x",
    "/r0/x%3f/../r1/x",
    "/r0/./x",
    "/r0/.",
    "http://edge.test/r1/x",
    "http://r1/r0/x",
    "edge.test:80",
    "*",
    "r1/x",
    "/r0/x\x0bHTTP/1.1",
]


async def test_the_service_that_is_asked_is_the_one_that_policy_was_asked_for(tmp_path: Path) -> None:
    async with watched(tmp_path) as (front, first, second):
        for path in PATHS:
            await raw(front, f"GET {path} HTTP/1.1\r\nhost: edge.test".encode("latin-1"))
            allowed = [entry.resource for entry in front.entries if entry.decision == "allow"]
            seen = ["route:r0"] * len(first.seen) + ["route:r1"] * len(second.seen)
            assert seen == allowed, path
            for one in first.seen:
                assert one.target == path.partition("#")[0]
                assert one.target.startswith("/r0/")
                assert ".." not in one.target.partition("?")[0]
            front.entries.clear()
            first.seen.clear()
            second.seen.clear()


async def test_a_host_that_is_none_leads_nowhere_else(tmp_path: Path) -> None:
    async with watched(tmp_path) as (front, first, second):
        for host in ("r1.test/r1", "a b", "a@b", "", "edge.test:99999"):
            await raw(front, f"GET /r0/x HTTP/1.1\r\nhost: {host}".encode())
    assert second.seen == []
    assert all(seen.target == "/r0/x" for seen in first.seen)


ANSWERS = {
    "a chunk size that is none": b"transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    "a chunk size without an end": b"transfer-encoding: chunked\r\n\r\n" + b"5" * 70_000,
    "a length that is none": b"content-length: five\r\n\r\nhello",
    "two lengths": b"content-length: 5\r\ncontent-length: 2\r\n\r\nhello",
    "both": b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "no headers": b"hello\r\n\r\n",
    "a null": b"x-a: a\x00b\r\ncontent-length: 2\r\n\r\nok",
}


@pytest.mark.parametrize("wrong", ANSWERS)
async def test_an_answer_that_is_none_ends_soon_and_brings_nobody_anything_else(
    tmp_path: Path, wrong: str
) -> None:
    async with (
        witness(b"HTTP/1.1 200 OK\r\n" + ANSWERS[wrong]) as bad,
        fronted(tmp_path, {"urls": [bad.url], "idle_timeout_seconds": 60}) as front,
    ):
        # `raw` waits for less than that.
        statuses = await raw(front, b"GET /r0/x HTTP/1.1\r\nhost: edge.test")
    assert statuses in ([502], [200])
