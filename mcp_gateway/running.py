"""Calls of the session era that are in flight here, so that their client can cancel them by id."""

import contextlib
from collections.abc import Iterator

from msgspec import Raw

from shared.account import Flight
from shared.errors import BadRequest

CANCELLED = -32800


class Running:
    def __init__(self) -> None:
        self._flights: dict[tuple[str, bytes], Flight] = {}

    @contextlib.contextmanager
    def entered(self, session: str, request_id: Raw, flight: Flight) -> Iterator[None]:
        """For as long as the block lasts, `cancel` with these two ends `flight`."""
        key = (session, bytes(request_id))
        self._flights[key] = flight
        try:
            yield
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]

    def cancel(self, session: str, request_id: bytes) -> None:
        """Ends the call, if it is one of this session's and runs here."""
        flight = self._flights.get((session, request_id))
        if flight is not None:
            flight.cut(BadRequest("the client cancelled this request", code=CANCELLED))
