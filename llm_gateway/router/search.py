"""One call's way through its targets: who is next, and what follows from a failure. It decides and waits for
nothing; the loop is in `forward.py`.
"""

from collections.abc import Callable, Iterable
from typing import Literal

from llm_gateway.catalog import Target
from llm_gateway.router.overflow import is_content, is_overflow
from llm_gateway.router.plan import Plan, Routes
from llm_gateway.router.ranking import Draw
from llm_gateway.router.retry import RetryBudget, pause
from llm_gateway.router.section import LARGER, NEXT
from shared.errors import UpstreamFault, UpstreamRefused, UpstreamTimeout

Failure = Literal["error", "timeout", "context", "content"]
_NOTES_MAX = 8


class Search:
    """`until` is when (on the clock of `now`) an answer must have begun. `notes` are findings for the entry:
    what was tried and why it went on.
    """

    __slots__ = (
        "_attempts",
        "_budget",
        "_draw",
        "_now",
        "_queue",
        "_routes",
        "_seen",
        "_tries",
        "notes",
        "until",
    )

    def __init__(self, plan: Plan, now: Callable[[], float], budget: RetryBudget, draw: Draw) -> None:
        retries = plan.routes.section.retries
        self.until = now() + retries.deadline_seconds
        self.notes: list[str] = []
        self._routes: Routes = plan.routes
        self._queue = list(plan.targets)
        self._seen: set[str] = set()
        self._attempts = retries.attempts
        self._tries = 0
        self._now = now
        self._budget = budget
        self._draw = draw
        if retries.per_target:
            budget.called()

    def next(self) -> Target | None:
        """Whose turn it is; None when everybody who may be asked has been."""
        if not self._queue or not self._attempts or (self._seen and self._now() >= self.until):
            return None
        target = self._queue.pop(0)
        if target.name not in self._seen:
            self._tries = 0
        return target

    def skipped(self, target: Target, why: str) -> None:
        """It was not asked."""
        self._seen.add(target.name)
        self._note(f"skipped:{target.name} {why}")

    def failed(self, target: Target, error: UpstreamFault) -> float:
        """What `error` means for the rest of the search, and how many seconds to wait before it goes on.
        Raises `error` where it is the caller's to see.
        """
        self._spend(target)
        failure = self._failure(error)
        if failure is None:
            raise error
        waits = self._again(target, error) if failure in ("error", "timeout") else None
        if waits is not None:
            self._note(f"retry:{target.name} {_told(error)}")
            self._queue.insert(0, target)
            return waits
        self._queue = self._rest(target, failure)
        if self._queue:
            self._note(f"fallback:{target.name} {failure} {_told(error)}")
        return 0.0

    def declined(self, target: Target, micros: int) -> None:
        """`target` has answered that it will not, for `micros` that nobody is charged."""
        self._spend(target)
        self._queue = self._rest(target, "content")
        if self._queue:
            self._note(f"fallback:{target.name} content, discarded {micros} micros")

    def _spend(self, target: Target) -> None:
        self._seen.add(target.name)
        self._attempts -= 1
        self._tries += 1

    def _failure(self, error: UpstreamFault) -> Failure | None:
        fallbacks = self._routes.section.fallbacks
        if isinstance(error, UpstreamRefused):
            if fallbacks.context and is_overflow(error):
                return "context"
            if fallbacks.content and is_content(error):
                return "content"
        if not error.retryable:
            return None
        return "timeout" if isinstance(error, UpstreamTimeout) else "error"

    def _again(self, target: Target, error: UpstreamFault) -> float | None:
        if not self._attempts:
            return None
        waits = pause(error, self._tries, self._routes.section.retries, self._draw)
        if waits is None or self._now() + waits >= self.until or not self._budget.take():
            return None
        return waits

    def _rest(self, target: Target, failure: Failure) -> list[Target]:
        """Who is asked after `target` has failed like this, none of them twice."""
        found: dict[str, Target] = {}
        for name in getattr(self._routes.section.fallbacks, failure):
            found |= {each.name: each for each in self._named(name, target) if each.name not in self._seen}
        return list(found.values())

    def _named(self, name: str, target: Target) -> Iterable[Target]:
        if name == NEXT:
            return self._queue
        return self._routes.larger(target) if name == LARGER else self._routes.groups.get(name, ())

    def _note(self, note: str) -> None:
        if len(self.notes) < _NOTES_MAX:
            self.notes.append(note)


def _told(error: UpstreamFault) -> str:
    """A failure without the words of whoever failed."""
    status = f" {error.upstream_status}" if isinstance(error, UpstreamRefused) else ""
    return f"{error.reason}{status}"
