"""What a provider's error status means for the caller and for the gateway's next try; the same for all
kinds that answer with HTTP statuses. The words are each kind's own.
"""

import re

from shared.errors import UpstreamRefused
from shared.http_client import Reply

# Our credential, our bill, our idea of where the model is: the caller cannot repair these.
_OURS = frozenset((401, 402, 403, 404, 405, 407))
# Another try, or another target, may well succeed.
_PASSING = frozenset((408, 409, 424, 425, 429))
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*")
_LONGEST_WORDS = 1000


def waits(reply: Reply) -> float | None:
    """After how many seconds the provider wants to be asked again. The form of `retry-after` with a date is
    rare among providers and not worth trusting their clock.
    """
    finer = _NUMBER.fullmatch(reply.header("retry-after-ms") or "")
    if finer is not None:
        return float(finer[1]) / 1000
    plain = _NUMBER.fullmatch(reply.header("retry-after") or "")
    return float(plain[1]) if plain is not None else None


def callers_own(status: int) -> bool:
    """Whether the caller can repair what the provider does not like."""
    return 400 <= status < 500 and status not in _OURS and status not in _PASSING


def refusal(
    status: int, *, words: str, body: bytes, retry_after: float | None, code: str | None = None
) -> UpstreamRefused:
    """`words` and `body` are the provider's, without secrets; they reach the caller where it can act on them.
    `code` is its name for the problem.
    """
    if status in _OURS or status < 400:
        return UpstreamRefused("the provider refused this gateway", upstream_status=502, retryable=True)
    if not callers_own(status):
        text = "the provider is over its own limit" if status == 429 else "the provider could not answer"
        return UpstreamRefused(
            f"{text} (status {status})", upstream_status=status, retryable=True, retry_after=retry_after
        )
    said = f": {words[:_LONGEST_WORDS]}" if words else " without saying why"
    error = UpstreamRefused(
        f"the provider refused the request (status {status}){said}",
        upstream_status=status,
        body=body,
        retryable=False,
        retry_after=retry_after,
    )
    error.data = {"code": code} if code else None
    return error
