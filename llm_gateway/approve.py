"""Stage: a person's consent to one model call, where policy asks for it."""

import msgspec
from msgspec import Raw

from shared.account import Flight
from shared.approvals import Park
from shared.policy import Grant


async def approve(park: Park, grant: Grant, body: bytes, flight: Flight) -> None:
    """Consent to exactly this `body`, at the address that it came to: the same words are another call at
    another one. Raises Unapproved, Unavailable.
    """
    if not grant.decision.approval:
        return
    said: dict[str, str | Raw] = {"path": flight.exchange.path}
    await park(flight, grant, msgspec.json.encode(said | ({"request": Raw(body)} if body else {})))
