"""How much an HTTP/2 connection may send that asks for nothing: pings, settings, windows, streams that it
takes back.
"""

import asyncio

from h2 import events

# Within so many seconds, and beside what is earned, so many frames.
_SECONDS = 10.0
_FRAMES = 1_000
# A request may bring a window, and a piece of an answer two windows and a ping.
_EARNED = 4
_COSTS: dict[type[events.Event], int] = {
    events.PingReceived: 1,
    events.PingAckReceived: 1,
    events.RemoteSettingsChanged: 1,
    events.SettingsAcknowledged: 1,
    events.PriorityUpdated: 1,
    events.WindowUpdated: 1,
    events.UnknownFrameReceived: 1,
    # More than the request has earned (CVE-2023-44487).
    events.StreamReset: _EARNED + 1,
}


class Calm:
    """One connection's account."""

    def __init__(self) -> None:
        self._left = _FRAMES
        self._since = asyncio.get_running_loop().time()

    def earn(self) -> None:
        """It has asked for something, or been sent a piece of an answer."""
        self._left += _EARNED

    def lost(self, event: events.Event) -> bool:
        """Takes what this costs. Is it more than there was?"""
        empty = isinstance(event, events.DataReceived) and not event.data and event.stream_ended is None
        cost = 1 if empty else _COSTS.get(type(event), 0)
        self._left -= cost
        if self._left >= 0 or not cost:
            return False
        now = asyncio.get_running_loop().time()
        if now < self._since + _SECONDS:
            return True
        self._since, self._left = now, _FRAMES
        return False
