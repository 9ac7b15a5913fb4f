"""Answers of one route that are kept in this process: by whose they are, unless the configuration says
shared; bounded, the one asked for longest ago goes first.
"""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from api_gateway import guard
from api_gateway.answer import KeptAnswer, values_of
from api_gateway.cache_control import Life, life
from api_gateway.collapse import Collapse
from api_gateway.written_path import written_path
from shared.asgi import Exchange, Headers
from shared.clock import Clock
from shared.identity.principal import Caller

# What an entry takes beside its text.
_OVERHEAD = 512
# So many answers to one question of one caller are told apart by `vary`.
_MOST_VARIANTS = 16


class Cache(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers to GET that say for how long they may be kept, or by which tag they can be asked for again.
    `shared` gives one principal's answer to another, where the service calls it public. `max_bytes` is for
    all together, `max_answer_bytes` for each. Who asks what is being asked for waits up to `wait_seconds`.
    """

    shared: bool = False
    max_bytes: Annotated[int, Meta(ge=1024, le=1 << 33)] = 33_554_432
    max_answer_bytes: Annotated[int, Meta(ge=1, le=1 << 30)] = 1_048_576
    wait_seconds: Annotated[float, Meta(ge=0, le=60)] = 5.0


class Question(Struct, frozen=True):
    """What is asked for, and who asks ("" where that does not matter)."""

    target: str
    who: str = ""


class Entry(Struct, frozen=True, kw_only=True):
    """`varies` are the request's headers that the answer hangs on; `at` is when it was fresh from the
    service.
    """

    question: Question
    answer: KeptAnswer
    life: Life
    varies: tuple[tuple[str, str | None], ...]
    at: float

    @property
    def size(self) -> int:
        headers = sum(len(name) + len(value) for name, value in self.answer.headers)
        asked = len(self.question.target) + sum(len(value or "") for _, value in self.varies)
        return len(self.answer.body) + headers + asked + _OVERHEAD


class ResponseCache:
    def __init__(self, rule: Cache, clock: Clock) -> None:
        self.rule = rule
        self.bytes = 0
        self.changes = 0  # whoever asked before the last one may have been told what no longer holds
        self.collapse = Collapse(rule.wait_seconds, clock)
        self._clock = clock
        self._kept: OrderedDict[Question, list[Entry]] = OrderedDict()
        self._askers: dict[str, set[str]] = {}

    def question(self, exchange: Exchange, caller: Caller) -> Question:
        place = (exchange.scope.get("scheme", "http"), exchange.header("host") or "")
        target = "\n".join((*place, written_path(exchange), exchange.query))
        if self.rule.shared:
            return Question(target)
        # All that the service is told of who asks, but for what differs with each call.
        whole = msgspec.json.encode((caller.principal, caller.actors, caller.key))
        return Question(target, sha256(whole).hexdigest())

    def find(self, question: Question, exchange: Exchange) -> Entry | None:
        """The answer for this request, fresh or not."""
        entries = self._kept.get(question)
        if entries is None:
            return None
        self._kept.move_to_end(question)
        return next((entry for entry in entries if entry.varies == _varies(entry, exchange)), None)

    def common(self, question: Question, exchange: Exchange) -> object:
        """What requests that one answer may serve have in common, as far as earlier answers tell."""
        entries = self._kept.get(question)
        return (question, _varies(entries[-1], exchange) if entries else ())

    def age(self, entry: Entry) -> int:
        """In seconds, that in other caches included."""
        return entry.life.age + max(0, int(self._clock.monotonic() - entry.at))

    def entry(self, question: Question, exchange: Exchange, answer: KeptAnswer, lasts: Life) -> Entry:
        names = sorted({name.lower() for name in values_of(answer.headers, "vary")})
        varies = tuple((name, _value(exchange, name)) for name in names)
        at = self._clock.monotonic()
        return Entry(question=question, answer=answer, life=lasts, varies=varies, at=at)

    def life(self, status: int, headers: Headers) -> Life | None:
        """For how long this answer may be kept. None: not at all."""
        found = life(status, headers, shared=self.rule.shared, now=self._clock.now_us() / 1e6)
        # What hangs on who asks is nobody else's, whatever else the service says of it.
        if self.rule.shared and any(_personal(name) for name in values_of(headers, "vary")):
            return None
        return found

    def keep(self, entry: Entry) -> None:
        """In place of the one that answered the same request before."""
        question = entry.question
        entries = self._kept.setdefault(question, [])
        self._askers.setdefault(question.target, set()).add(question.who)
        self._kept.move_to_end(question)
        before = sum(one.size for one in entries)
        others = [one for one in entries if one.varies != entry.varies]
        entries[:] = [*others, entry][-_MOST_VARIANTS:]
        self.bytes += sum(one.size for one in entries) - before
        while self.bytes > self.rule.max_bytes:
            self._forget(next(iter(self._kept)))

    def changed(self, target: str) -> None:
        """Forgets what anybody was told of a place that somebody has just changed (RFC 9111 section 4.4)."""
        self.changes += 1
        for who in list(self._askers.get(target, ())):
            self._forget(Question(target, who))

    def drop(self, question: Question) -> None:
        """Forgets the answers to one question."""
        if question in self._kept:
            self._forget(question)

    def _forget(self, question: Question) -> None:
        self.bytes -= sum(entry.size for entry in self._kept.pop(question))
        askers = self._askers[question.target]
        askers.discard(question.who)
        if not askers:
            del self._askers[question.target]


def problems(path: str, rule: Cache | None, canaries: Sequence[object]) -> list[str]:
    """What is wrong with it, as `path: problem`."""
    if rule is None:
        return []
    found = [f"{path}: cannot tell canaries apart: a route has one or the other"] if canaries else []
    if rule.max_answer_bytes + _OVERHEAD > rule.max_bytes:
        found.append(f"{path}.max_answer_bytes: is more than max_bytes has room for")
    return found


def _varies(entry: Entry, exchange: Exchange) -> tuple[tuple[str, str | None], ...]:
    return tuple((name, _value(exchange, name)) for name, _ in entry.varies)


def _value(exchange: Exchange, name: str) -> str | None:
    wanted = name.encode("latin-1")
    found = [value for key, value in exchange.headers if key == wanted]
    return b",".join(found).decode("latin-1") if found else None


def _personal(name: str) -> bool:
    low = name.lower().encode("latin-1", "replace")
    return low in guard.CREDENTIALS or guard.claims_identity(low)
