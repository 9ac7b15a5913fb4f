"""Where an answer belongs once it is there."""

from msgspec import Struct


class Place(Struct, frozen=True, kw_only=True):
    """`name` and `ttl` (seconds) are for finding the same question again. `like` names the stream of
    questions that are found by meaning, at `most` so many, and `kept` is what goes into it.
    """

    name: str
    ttl: int
    like: str = ""
    most: int = 0
    kept: bytes = b""
