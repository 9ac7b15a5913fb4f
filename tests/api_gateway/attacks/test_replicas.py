"""A client that would have healthy replicas taken for sick ones."""

import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from tests.api_gateway.fronted import Front, fronted
from tests.api_gateway.test_smuggling import raw
from tests.api_gateway.witness import witness
from tests.support.http2 import http2
from tests.support.wait import eventually

# More than any outlier detection waits for.
_OFTEN = 8


@contextlib.asynccontextmanager
async def balanced(directory: Path) -> AsyncIterator[Front]:
    async with witness() as one, witness() as two, fronted(directory, {"urls": [one.url, two.url]}) as front:
        yield front
        pools = front.edge.app.state.upstreams.pools
        [pool] = [pool for pool in pools if len(pool.members) == 2]
        assert pool.seen().ejected == 0


async def test_a_method_that_is_none_is_the_clients_fault(tmp_path: Path) -> None:
    async with balanced(tmp_path) as front, http2(front.port) as client:
        for _ in range(_OFTEN):
            stream = client.begin(
                (":method", "GET /x HTTP/1.1"),
                (":scheme", "http"),
                (":authority", "edge.test"),
                (":path", "/r0/x"),
                ("authorization", f"Bearer {front.key}"),
            )
            await eventually(partial(client.over, stream), "an answer")
            assert client.status(stream) == 400


@pytest.mark.parametrize("header", [b"x-a: a\x01b", b"host: \xff"])
async def test_a_header_that_cannot_be_sent_on_is_the_clients_fault(tmp_path: Path, header: bytes) -> None:
    head = b"GET /r0/x HTTP/1.1\r\n" + (header if header[:4] == b"host" else b"host: x\r\n" + header)
    async with balanced(tmp_path) as front:
        for _ in range(_OFTEN):
            assert await raw(front, head) == [400]
