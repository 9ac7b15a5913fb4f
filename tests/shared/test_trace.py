"""Trace context is read strictly and written as the standard says."""

import pytest

from shared import trace
from shared.identity.principal import Trace

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_traceparent_survives_reading_and_writing() -> None:
    found = trace.parse(GOOD)
    assert found is not None
    assert found.sampled
    assert trace.render(found) == GOOD


@pytest.mark.parametrize(
    "text", [None, "", "nonsense", GOOD + "-more", GOOD.upper(), GOOD.replace("00f067aa0ba902b7", "0" * 16)]
)
def test_a_malformed_traceparent_counts_as_absent(text: str | None) -> None:
    assert trace.parse(text) is None


def test_a_child_stays_in_its_parents_trace_and_keeps_its_sampling() -> None:
    parent = Trace(trace_id="a" * 32, span_id="b" * 16, sampled=True)
    below = trace.child(parent, sample=0.0)
    assert (below.trace_id, below.sampled) == (parent.trace_id, True)
    assert below.span_id != parent.span_id
    assert trace.child(None, sample=1.0).sampled
    assert not trace.child(None, sample=0.0).sampled


def test_a_parent_that_nobody_vouches_for_does_not_decide_what_is_exported() -> None:
    parent = Trace(trace_id="a" * 32, span_id="b" * 16, sampled=True)
    below = trace.child(parent, sample=0.0, trusted=False)
    assert (below.trace_id, below.sampled) == (parent.trace_id, False)
    assert trace.child(parent, sample=1.0, trusted=False).sampled
