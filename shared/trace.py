"""W3C trace context: reading and writing `traceparent`, and the sampling decision. No SDK here: this is on
every request.

Source: https://www.w3.org/TR/trace-context/ (version 00).
"""

import random
import re
import secrets

from shared.identity.principal import Trace

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_ZERO_TRACE, _ZERO_SPAN = "0" * 32, "0" * 16


def parse(traceparent: str | None) -> Trace | None:
    """The context of a `traceparent` header, or None where it is absent or malformed (the standard says:
    start anew).
    """
    match = _TRACEPARENT.fullmatch(traceparent.strip()) if traceparent else None
    if match is None:
        return None
    trace_id, span_id, flags = match.groups()
    if trace_id == _ZERO_TRACE or span_id == _ZERO_SPAN:
        return None
    return Trace(trace_id=trace_id, span_id=span_id, sampled=bool(int(flags, 16) & 1))


def render(trace: Trace) -> str:
    return f"00-{trace.trace_id}-{trace.span_id}-{'01' if trace.sampled else '00'}"


def child(parent: Trace | None, *, sample: float, trusted: bool = True) -> Trace:
    """A new span's context below `parent`; without one, a new trace that is sampled with probability
    `sample`. So is one whose parent nobody vouches for: a stranger does not decide what we export.
    """
    span_id = secrets.token_hex(8)
    if parent is not None and trusted:
        return Trace(trace_id=parent.trace_id, span_id=span_id, sampled=parent.sampled)
    trace_id = parent.trace_id if parent is not None else secrets.token_hex(16)
    return Trace(trace_id=trace_id, span_id=span_id, sampled=random.random() < sample)  # noqa: S311
