"""How long a recording is, where its first bytes tell: WAV files say so, for others it is a guess."""

import math

# 128 kbit/s: what most recordings that are no WAV have at most.
_BYTES_PER_SECOND = 16_000
_RIFF_HEAD, _CHUNK_HEAD = 12, 8
_CHUNKS_MAX = 64


def wav_seconds(data: bytes) -> float | None:
    """None where `data` is no WAV, or one that does not say how fast it is."""
    if len(data) < _RIFF_HEAD or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    at, rate = _RIFF_HEAD, 0
    for _ in range(_CHUNKS_MAX):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + _CHUNK_HEAD], "little")
        at += _CHUNK_HEAD
        if kind == b"fmt ":
            rate = int.from_bytes(data[at + 8 : at + 12], "little")
        elif kind == b"data" or at >= len(data):
            # A WAV that was written while it was recorded does not know its size.
            held = min(size, max(0, len(data) - at))
            return held / rate if rate and kind == b"data" else None
        at += size + (size & 1)
    return None


def guessed_seconds(size: int) -> int:
    return max(1, math.ceil(size / _BYTES_PER_SECOND))
