"""What is kept of an error that has ended a request, and what is not."""

from shared.errors import GatestackError, Killed, Refusal, Stopping, Unapproved
from shared.ledger.entry import Outcome


def forget_way(error: BaseException | None) -> None:
    """An error and its causes know the frames that they came through, and those mostly know them: all that a
    request has made would wait for the collector.
    """
    while error is not None and error.__traceback__ is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def outcome_of(error: GatestackError, *, started: bool) -> Outcome:
    if isinstance(error, Killed):
        return Outcome.KILLED
    if isinstance(error, Stopping):
        return Outcome.STOPPED
    # What went out while a call waited for a person was no part of an answer.
    if started and not isinstance(error, Unapproved):
        return Outcome.BROKEN
    return Outcome.REFUSED if isinstance(error, Refusal) else Outcome.FAILED
