"""A provider's credential cut out of what it sends back, however it is cut into pieces. What stands in its
place is as long, so that announced lengths stay true.
"""

from collections.abc import AsyncIterator, Iterable


class Redactor:
    def __init__(self, secrets: Iterable[bytes]) -> None:
        # Longer ones first: one may be the beginning of another.
        self._secrets = sorted(secrets, key=len, reverse=True)
        self._tail = b""

    def feed(self, chunk: bytes) -> bytes:
        """What of `chunk` may go out now: all but an end that may be the beginning of a secret."""
        data = self._clean(self._tail + chunk)
        keep = self._open_end(data)
        self._tail = data[len(data) - keep :]
        return data[: len(data) - keep]

    def end(self) -> bytes:
        tail, self._tail = self._tail, b""
        return tail

    def _clean(self, data: bytes) -> bytes:
        for secret in self._secrets:
            if secret in data:
                data = data.replace(secret, b"*" * len(secret))
        return data

    def _open_end(self, data: bytes) -> int:
        """How much of the end is the beginning of a secret."""
        longest = 0
        for secret in self._secrets:
            for size in range(min(len(secret) - 1, len(data)), longest, -1):
                if data.endswith(secret[:size]):
                    longest = size
                    break
        return longest


async def redacted(chunks: AsyncIterator[bytes], secrets: Iterable[bytes]) -> AsyncIterator[bytes]:
    redactor = Redactor(secrets)
    async for chunk in chunks:
        if out := redactor.feed(chunk):
            yield out
    if out := redactor.end():
        yield out
