"""A person's consent to one call: asked for where policy says so, waited for, given or refused, used once."""

from shared.approvals.approval import Approval, Filed, State, Word, may_decide
from shared.approvals.bell import Bell
from shared.approvals.book import Book
from shared.approvals.park import Park, refuse_asking
from shared.approvals.preview import preview, visible

__all__ = [
    "Approval",
    "Bell",
    "Book",
    "Filed",
    "Park",
    "State",
    "Word",
    "may_decide",
    "preview",
    "refuse_asking",
    "visible",
]
