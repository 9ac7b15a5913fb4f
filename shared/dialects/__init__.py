"""How a failure looks to the caller: one file a wire format. What failed is `shared/errors.py`'s business.

An error's `detail` goes out, its `cause` never does.
"""

from typing import Protocol

from shared.errors import GatestackError

Rendered = tuple[int, list[tuple[bytes, bytes]], bytes]


class Dialect(Protocol):
    def refusal(self, error: GatestackError, request_id: str) -> Rendered:
        """Status, headers and body of a failure before the first byte."""
        ...

    def event(self, error: GatestackError, request_id: str) -> bytes:
        """What ends a stream that had already started; may be empty where the format has no such thing."""
        ...


def retry_headers(error: GatestackError) -> list[tuple[bytes, bytes]]:
    """`retry-after` in whole seconds, rounded up, where the error knows it."""
    if error.retry_after is None:
        return []
    return [(b"retry-after", str(max(1, -int(-error.retry_after // 1))).encode())]
