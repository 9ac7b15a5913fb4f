"""Tokens guessed from bytes, for as long as nobody has counted them."""

BYTES_PER_TOKEN = 4
# An image or a recording in base64 is not text: it counts as a round number of tokens, not by its bytes.
_INSIDE, _BESIDE = b";base64,", b'"data"'
_ATTACHMENT_BYTES, _ATTACHMENT_TOKENS, _ATTACHMENTS_MAX = 4_096, 1_500, 256
# By how many bytes events of one token differ: a longer word, another finish_reason.
_ORDINARY = 48


def tokens_in(content: bytes) -> int:
    """What a caller's messages may come to."""
    count = size = 0
    if len(content) > _ATTACHMENT_BYTES:
        for marker in (_INSIDE, _BESIDE):
            found = _attached(content, marker)
            count, size = count + len(found), size + sum(found)
    return max(0, len(content) - size) // BYTES_PER_TOKEN + count * _ATTACHMENT_TOKENS


class TokensOut:
    """A stream's tokens: an event is one, and what makes it much longer than the shortest is several more."""

    __slots__ = ("_beyond", "_events", "_smallest")

    def __init__(self) -> None:
        self._events = 0
        self._smallest = 1 << 30
        self._beyond = 0

    def add(self, events: int, size: int) -> None:
        self._events += events
        self._smallest = min(self._smallest, size // events)
        self._beyond += max(0, size - events * (self._smallest + _ORDINARY))

    @property
    def estimate(self) -> int:
        return self._events + self._beyond // BYTES_PER_TOKEN


def _attached(content: bytes, marker: bytes) -> list[int]:
    """The sizes of the long strings that hold `marker` or are its value; only so many, for this must stay
    cheap.
    """
    sizes: list[int] = []
    at = content.find(marker)
    for _ in range(_ATTACHMENTS_MAX):
        if at < 0:
            break
        start = at + len(marker)
        if marker is _BESIDE:
            # Somebody may have written a space before the value.
            start = content.find(b'"', start) + 1
        end = content.find(b'"', start)
        if end - start >= _ATTACHMENT_BYTES:
            sizes.append(end - start)
        at = content.find(marker, start)
    return sizes
