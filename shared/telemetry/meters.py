"""What `/metrics` counts of every closed entry. The names are stable: dashboards and alerts stand on them.

No label names a principal, a tenant, a chain or anything that a caller made up: the page needs no credential.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shared.ledger.entry import Entry
from shared.telemetry.series import OTHER, Counter, Histogram

Gauges = Mapping[str, Callable[[], Any]]
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_KINDS = frozenset(
    ("model", "tool", "prompt", "resource", "template", "agent", "route", "admin", "catalog", "skill")
)


class Meters:
    """Costs a few microseconds an entry. `target` is the provider, server or agent that was really asked."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._calls = Counter(
            "gatestack_calls_total", "Closed calls.", ("kind", "outcome", "reason"), most=500
        )
        self._seconds = Histogram("gatestack_call_seconds", "From first to last byte.", _SECONDS, ("kind",))
        self._first = Histogram(
            "gatestack_first_byte_seconds", "Until the answer began.", _SECONDS, ("kind",)
        )
        self._upstream = Histogram(
            "gatestack_upstream_seconds", "What a target took.", _SECONDS, ("kind", "target"), most=100
        )
        self._answers = Counter(
            "gatestack_upstream_calls_total",
            "Calls that reached a target.",
            ("kind", "target", "outcome"),
            most=400,
        )
        self._attempts = Counter(
            "gatestack_attempts_total", "Attempts at targets, retries and fallbacks too."
        )
        self._tokens = Counter("gatestack_tokens_total", "Tokens.", ("provider", "model", "kind"), most=800)
        self._cost = Counter("gatestack_cost_micros_total", "Micro-dollars.", ("provider", "model"))
        self._cache = Counter("gatestack_cache_total", "What the cache said to model calls.", ("result",))
        self._findings = Counter("gatestack_findings_total", "Findings by their kind.", ("kind",))

    def count(self, entry: Entry) -> None:
        kind = entry.resource.partition(":")[0]
        if kind not in _KINDS:
            kind = OTHER
        self._calls.add((kind, entry.outcome, entry.reason))
        self._seconds.observe((kind,), entry.duration_us / 1_000_000)
        if entry.first_byte_us:
            self._first.observe((kind,), entry.first_byte_us / 1_000_000)
        if entry.upstream_us:
            target = entry.provider or entry.server or entry.agent or OTHER
            self._upstream.observe((kind, target), entry.upstream_us / 1_000_000)
            self._answers.add((kind, target, entry.outcome))
        if entry.attempts:
            self._attempts.add((), entry.attempts)
        if entry.cache:
            self._cache.add((entry.cache,))
        for finding in entry.findings:
            # What stands behind the colon may name somebody.
            self._findings.add((finding.partition(":")[0],))
        self._count_use(entry)

    def page(self, gauges: Gauges) -> bytes:
        """The Prometheus text form (version 0.0.4)."""
        lines = list(self._samples())
        for name, read in sorted(gauges.items()):
            lines += [f"# TYPE {name} gauge", f'{name}{{service="{self._service}"}} {_number(read())}']
        return ("\n".join(lines) + "\n").encode()

    def _samples(self) -> Iterator[str]:
        for series in vars(self).values():
            if isinstance(series, Counter | Histogram):
                yield f"# HELP {series.name} {series.about}"
                yield f"# TYPE {series.name} {series.kind}"
                yield from series.samples(self._service)

    def _count_use(self, entry: Entry) -> None:
        usage = entry.usage
        if not (usage.tokens_in or usage.tokens_out or entry.cost_micros):
            return
        # Only what was used has a price: by then the model's name is the operator's, not the caller's.
        used = (entry.provider, entry.model)
        for kind, amount in (("in", usage.tokens_in), ("out", usage.tokens_out), ("cached", usage.cached)):
            if amount:
                self._tokens.add((*used, kind), amount)
        if entry.cost_micros:
            self._cost.add(used, entry.cost_micros)


def _number(value: float) -> str:
    return "+Inf" if value == math.inf else str(value)
