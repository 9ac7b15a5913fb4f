"""An answer as it is kept."""

import msgspec
from msgspec import Struct

from llm_gateway.chat.reply import Reply


class Stored(Struct, frozen=True, array_like=True):
    """`at` in seconds since 1970. What it cost and took is what its next readers save."""

    reply: Reply
    at: float
    cost_micros: int
    upstream_us: int
    model: str
    provider: str


encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Stored).decode


def decode(data: bytes) -> Stored | None:
    """None where another release has left something that this one does not know."""
    try:
        return _decode(data)
    except msgspec.MsgspecError:
        return None
