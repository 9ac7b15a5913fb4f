"""What the stages need to know of a call, whatever dialect it came in; its content stays as the bytes that
it was.
"""

from msgspec import Struct

Span = tuple[int, int]


class Ask(Struct, frozen=True, kw_only=True):
    """`body` is what the caller sent. `spans` says where in it the values stand that a provider may have to
    see changed.

    `tokens_in` is an estimate, `tokens_out` what the caller allows at most (0: it did not say). `units` is
    an estimate of what is not counted in tokens (images, seconds, characters). `wants_usage`: the caller
    asked for the usage of its stream and gets to see it. `id`: what the answer will be called, where its
    format lets callers come back for it and the provider has no such name. `files` are the names in it that
    only their owner may use.
    """

    model: str
    stream: bool
    body: bytes
    spans: dict[str, Span]
    tokens_in: int
    tokens_out: int = 0
    units: int = 0
    wants_usage: bool = False
    id: str = ""
    files: tuple[str, ...] = ()
