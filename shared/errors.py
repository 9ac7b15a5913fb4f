"""Every way a request can fail, and nothing about how a failure looks on the wire (that is
`shared/dialects`).

GatestackError
├── Refusal                 we said no
│   ├── BadRequest          400  invalid
│   ├── Unauthenticated     401  unauthenticated
│   ├── Forbidden           403  forbidden
│   │   └── ContentRefused  403  forbidden       (a guard: not whom or what, but what it says)
│   ├── DelegationRefused   403  delegation      (a hop, a cycle, the depth cap, a widened scope)
│   ├── Unapproved          403  approval        (a person said no, or has not said yes)
│   ├── Killed              403  killed
│   ├── NotFound            404  not_found
│   ├── MethodNotAllowed    405  method
│   ├── TooLarge            413  too_large
│   ├── LimitExceeded       429  limit
│   ├── BudgetExceeded      429  budget
│   └── Overloaded          503  unavailable     as many as there is room for are here already
├── UpstreamFault           somebody behind us failed
│   ├── UpstreamUnreachable 502  upstream_unreachable   may be tried elsewhere
│   ├── UpstreamTimeout     504  upstream_timeout       may be tried elsewhere
│   ├── UpstreamRefused     502  upstream_refused       may be tried elsewhere if `retryable` says so
│   └── UpstreamBroken      502  upstream_broken        garbage, or cut in the middle
├── Unavailable             503  unavailable     something of ours that safety hangs on is gone
│   └── Stopping            503  unavailable     this process stops, and the call was still open
└── Fault                   500  fault           a mistake of ours
ClientGone, Stopped         nobody is left to read an answer: outcomes, never rendered
"""

from enum import StrEnum
from typing import ClassVar


class Reason(StrEnum):
    """The label of logs, metrics and ledger entries."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    DELEGATION = "delegation"
    APPROVAL = "approval"
    KILLED = "killed"
    NOT_FOUND = "not_found"
    METHOD = "method"
    TOO_LARGE = "too_large"
    LIMIT = "limit"
    BUDGET = "budget"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_REFUSED = "upstream_refused"
    UPSTREAM_BROKEN = "upstream_broken"
    UNAVAILABLE = "unavailable"
    FAULT = "fault"
    CLIENT_GONE = "client_gone"
    STOPPED = "stopped"


class GatestackError(Exception):
    """A failure with a text for the caller and, apart from it, a cause that only the log may see.

    `detail` may reach the caller: it never holds a secret, an address of ours or another principal's name.
    `retry_after` is in seconds. `code` is a dialect's own error number (JSON-RPC) where the default would be
    wrong, `data` its machine-readable part.
    """

    status: ClassVar[int] = 500
    reason: ClassVar[Reason] = Reason.FAULT

    def __init__(
        self,
        detail: str,
        *,
        cause: BaseException | str | None = None,
        retry_after: float | None = None,
        code: int | None = None,
        data: object = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.cause = cause
        self.retry_after = retry_after
        self.code = code
        self.data = data


class Refusal(GatestackError):
    """We said no: the caller could have done something else."""


class BadRequest(Refusal):
    status, reason = 400, Reason.INVALID


class Unauthenticated(Refusal):
    status, reason = 401, Reason.UNAUTHENTICATED


class Forbidden(Refusal):
    """Policy said no, by `rule` at `epoch` ("" and 0 where no rule spoke: nothing allowed it). `scope` is
    what the credential's scope would have to cover, where that is what it lacks.
    """

    status, reason = 403, Reason.FORBIDDEN
    rule: str = ""
    epoch: int = 0
    scope: str = ""


class ContentRefused(Forbidden):
    """A guard said no to what was said, or to what came back; policy has allowed the call."""


class DelegationRefused(Refusal):
    status, reason = 403, Reason.DELEGATION
    rule: str = ""
    epoch: int = 0


class Unapproved(Refusal):
    """A person's consent is needed and was not given. `data` names the approval and how it stands."""

    status, reason = 403, Reason.APPROVAL


class Killed(Refusal):
    status, reason = 403, Reason.KILLED


class NotFound(Refusal):
    status, reason = 404, Reason.NOT_FOUND


class MethodNotAllowed(Refusal):
    """`allowed` are the methods that would do, where they are known."""

    status, reason = 405, Reason.METHOD
    allowed: tuple[str, ...] = ()


class TooLarge(Refusal):
    status, reason = 413, Reason.TOO_LARGE


class LimitExceeded(Refusal):
    status, reason = 429, Reason.LIMIT


class BudgetExceeded(Refusal):
    status, reason = 429, Reason.BUDGET


class Overloaded(Refusal):
    status, reason = 503, Reason.UNAVAILABLE


class UpstreamFault(GatestackError):
    """Somebody behind us failed. `retryable` tells whether another target may be tried before the first
    byte.
    """

    status = 502
    retryable: bool = True


class UpstreamUnreachable(UpstreamFault):
    status, reason = 502, Reason.UPSTREAM_UNREACHABLE


class UpstreamTimeout(UpstreamFault):
    status, reason = 504, Reason.UPSTREAM_TIMEOUT


class UpstreamRefused(UpstreamFault):
    """The upstream answered with an error of its own: `upstream_status` and, where it fits the dialect, its
    body.
    """

    status, reason = 502, Reason.UPSTREAM_REFUSED

    def __init__(
        self,
        detail: str,
        *,
        upstream_status: int,
        body: bytes = b"",
        retryable: bool,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.upstream_status = upstream_status
        self.body = body
        self.retryable = retryable


class UpstreamBroken(UpstreamFault):
    status, reason = 502, Reason.UPSTREAM_BROKEN


class Unavailable(GatestackError):
    status, reason = 503, Reason.UNAVAILABLE


class Stopping(Unavailable):
    """This process stops, and the time that open calls had to end is over."""


class Fault(GatestackError):
    status, reason = 500, Reason.FAULT


class ClientGone(Exception):
    """The client left before its answer was complete."""

    reason = Reason.CLIENT_GONE


class Stopped(Exception):
    """This process is stopping and its grace period is over."""

    reason = Reason.STOPPED
