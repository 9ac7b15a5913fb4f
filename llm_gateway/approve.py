"""Stage: a person's consent to one model call, where policy asks for it."""

from shared.account import Flight
from shared.approvals import NOT_ASKED, Consent, Park
from shared.policy import Grant


async def approve(park: Park, grant: Grant, body: bytes, flight: Flight) -> Consent:
    """Consent to exactly this `body`. Raises Unapproved, Unavailable."""
    if not grant.decision.approval:
        return NOT_ASKED
    return await park(flight, grant, body)
