"""The ticket of a target that has begun to answer."""

from collections.abc import AsyncIterator

from msgspec import Struct

from llm_gateway.catalog import Target
from llm_gateway.incoming import Incoming, Whole
from shared.http_client import Reply


class Stream(Struct, frozen=True):
    """An answer in events: `first` may go out at once, `chunks` are still to come."""

    incoming: Incoming
    first: bytes
    chunks: AsyncIterator[bytes]


class Answer(Struct, frozen=True):
    """`dropped` names what the caller asked for and the provider was not told."""

    target: Target
    reply: Reply
    content: Whole | Stream
    dropped: tuple[str, ...] = ()
