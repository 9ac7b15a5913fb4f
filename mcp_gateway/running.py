"""Calls of the session era that are in flight, so that their client can cancel them by id at any replica."""

import contextlib
from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from mcp_gateway.mail import Mail
from shared.account import Flight
from shared.errors import BadRequest

CANCELLED = -32800


_BOX = "cancel"


class _Cancelled(Struct, frozen=True, array_like=True):
    session: str
    request_id: bytes


class Running:
    def __init__(self, mail: Mail) -> None:
        self._mail = mail
        mail.on(_BOX, self._told)
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

    async def cancel(self, session: str, request_id: bytes) -> None:
        """Ends the call, if it is one of this session's, wherever it runs. Raises Unavailable."""
        if not self._cut(session, request_id):
            await self._mail.shout(_BOX, msgspec.msgpack.encode(_Cancelled(session, request_id)))

    def _told(self, message: bytes) -> None:
        cancelled = msgspec.msgpack.decode(message, type=_Cancelled)
        self._cut(cancelled.session, cancelled.request_id)

    def _cut(self, session: str, request_id: bytes) -> bool:
        flight = self._flights.get((session, request_id))
        if flight is not None:
            flight.cut(BadRequest("the client cancelled this request", code=CANCELLED))
        return flight is not None
