"""An answer that is made here, in the place of one that comes over a connection."""

from collections.abc import AsyncGenerator, AsyncIterator

from shared.http_client import Reply


class MadeReply(Reply):
    """`source` makes its body, piece by piece. To close the reply is to end what makes it."""

    def __init__(self, kind: str, source: AsyncGenerator[bytes, None]) -> None:
        # Nothing of what a connection needs is needed here.
        self.status = 200
        self.headers = [(b"content-type", kind.encode("ascii"))]
        self._source = source

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._source:
            yield chunk

    async def close(self) -> None:
        await self._source.aclose()
