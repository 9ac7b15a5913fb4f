"""The ticket of a target that has begun to answer."""

from collections.abc import AsyncIterator

from msgspec import Struct

from llm_gateway.catalog import Target
from llm_gateway.formats import StreamReader
from shared.http_client import Reply


class Stream(Struct, frozen=True):
    """A reply in events: who reads along, and what is still to come."""

    reader: StreamReader
    chunks: AsyncIterator[bytes]


class Answer(Struct, frozen=True):
    """`first` is what may go out at once: a stream's first events, or all there is where it is no stream."""

    target: Target
    reply: Reply
    first: bytes
    stream: Stream | None = None
