"""Answers on their way: read ahead of a client that is slow."""

from collections.abc import AsyncIterator

from api_gateway.answer import ReadAhead


class Source:
    """Gives pieces of four bytes, and knows how many have been taken."""

    status = 200
    headers = ((b"content-type", b"text/plain"),)

    def __init__(self, count: int) -> None:
        self.given = 0
        self._count = count

    def header(self, name: str) -> str | None:
        return "text/plain" if name == "content-type" else None

    async def chunks(self) -> AsyncIterator[bytes]:
        for _ in range(self._count):
            self.given += 1
            yield b"abcd"


async def test_a_body_is_read_to_its_end_before_any_of_it_is_given() -> None:
    source = Source(5)
    answer = ReadAhead(source, 20)
    assert (answer.status, answer.headers, answer.header("content-type")) == (
        200,
        source.headers,
        "text/plain",
    )
    chunks = answer.chunks()
    assert (await anext(chunks), source.given) == (b"abcd" * 5, 5)
    assert [chunk async for chunk in chunks] == []
    assert [chunk async for chunk in ReadAhead(Source(0), 20).chunks()] == []


async def test_of_a_larger_one_no_more_is_held_than_it_may() -> None:
    source = Source(10)
    chunks = ReadAhead(source, 19).chunks()
    assert (await anext(chunks), source.given) == (b"abcd" * 5, 5)
    assert (await anext(chunks), source.given) == (b"abcd", 6)
    assert b"".join([chunk async for chunk in chunks]) == b"abcd" * 4
