"""The events of Anthropic's streams: each has a name and one line of data, which says the name again."""

from typing import Any

import msgspec

from shared import sse


def data_of(event: bytes) -> bytes:
    """Empty for comments and events without data."""
    line = event.find(b"\n") + 1
    usual = event.startswith(b"event: ") and event.startswith(b"data: ", line)
    if usual and event.find(b"\n", line) == len(event) - 2:
        return event[line + 6 : -2]
    return sse.data_of(event)


def named(name: str, **members: Any) -> bytes:
    return sse.encode(msgspec.json.encode({"type": name, **members}), name)
