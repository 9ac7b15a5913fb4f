"""A person's consent to one call: asked for where policy says so, waited for, given or refused, used once."""

from shared.approvals.approval import Approval, Filed, State, Word, may_decide
from shared.approvals.bell import Bell
from shared.approvals.book import Book
from shared.approvals.consent import NOT_ASKED, Consent
from shared.approvals.park import Park, refuse_asking
from shared.approvals.preview import preview, visible

__all__ = [
    "NOT_ASKED",
    "Approval",
    "Bell",
    "Book",
    "Consent",
    "Filed",
    "Park",
    "State",
    "Word",
    "may_decide",
    "preview",
    "refuse_asking",
    "visible",
]
