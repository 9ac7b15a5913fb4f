"""Stage: a GET is answered from what this process has kept, if that is fresh or the service says that it
still holds; otherwise by the service.

It stands behind policy and limits: what is kept is only for who may ask for it now.
"""

import msgspec

from api_gateway import guard
from api_gateway.answer import Answer, Keeping, KeptAnswer, Through
from api_gateway.balance.upstream import Upstream
from api_gateway.cache_control import directives, matches
from api_gateway.forward import Forward, relay
from api_gateway.response_cache import Entry, Question, ResponseCache
from shared.account import Flight
from shared.asgi import Exchange
from shared.identity.principal import Caller

_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
# What asks for a part, or for an answer under a condition that only the service can judge.
_SPECIAL = frozenset((b"range", b"if-match", b"if-range", b"if-unmodified-since"))
_CONDITIONS = frozenset((b"if-none-match", b"if-modified-since"))
# What a 304 repeats of the answer that it stands for (RFC 9110 section 15.4.5).
_REPEATED = frozenset((b"age", b"cache-control", b"content-location", b"etag", b"expires", b"vary"))


class Recall:
    def __init__(self, forward: Forward) -> None:
        self._forward = forward

    async def __call__(
        self,
        exchange: Exchange,
        flight: Flight,
        caller: Caller,
        upstream: Upstream,
        through: Through | None = None,
    ) -> None:
        """Raises what forwarding raises."""
        cache = upstream.cache
        if cache is None:
            await self._forward(exchange, flight, caller, upstream, through)
            return
        question = cache.question(exchange, caller)
        asked = directives(exchange.headers)
        if exchange.method not in _SAFE:
            await self._forward(exchange, flight, caller, upstream, _forgetting(cache, question, through))
        elif through is not None or "no-store" in asked or _special(exchange):
            flight.entry.cache = "bypass"
            await self._forward(exchange, flight, caller, upstream, through)
        else:
            await self._ask(exchange, flight, caller, upstream, question, cache, asked)

    async def _ask(
        self,
        exchange: Exchange,
        flight: Flight,
        caller: Caller,
        upstream: Upstream,
        question: Question,
        cache: ResponseCache,
        asked: dict[str, str],
    ) -> None:
        known = cache.find(question, exchange)
        condition = exchange.header_or_none("if-none-match") or ""
        if known is not None and cache.age(known) < _wanted(known, asked):
            flight.entry.cache = "hit"
            await relay(exchange, flight, _told(cache, known, condition), upstream)
            return
        flight.entry.cache = "miss"
        visit = _Visit(exchange, flight, cache, question, known, condition, cache.changes)
        if known is not None and known.life.tag:
            kept = [header for header in exchange.headers if header[0] not in _CONDITIONS]
            exchange.headers = [*kept, (b"if-none-match", known.life.tag.encode("latin-1"))]
        await self._forward(exchange, flight, caller, upstream, visit.through)


class _Visit(msgspec.Struct, frozen=True):
    """One question on its way to the service, with what was known before."""

    exchange: Exchange
    flight: Flight
    cache: ResponseCache
    question: Question
    known: Entry | None
    condition: str
    changes: int

    def through(self, answer: Answer) -> Answer:
        cache, known = self.cache, self.known
        if answer.status == 304 and known is not None and known.life.tag:
            return self._still(answer, known)
        lasts = cache.life(answer.status, answer.headers)
        length = answer.header("content-length") or "0"
        if lasts is None or not length.isdecimal() or int(length) > cache.rule.max_answer_bytes:
            if known is not None:
                cache.drop(self.question)
            return answer

        async def keep(whole: KeptAnswer | None) -> None:
            if whole is not None and cache.changes == self.changes:
                cache.keep(cache.entry(self.question, self.exchange, whole, lasts))

        return Keeping(answer, _kept_headers(answer), cache.rule.max_answer_bytes, keep)

    def _still(self, answer: Answer, known: Entry) -> KeptAnswer:
        """The known answer, with what the service has said about it now (RFC 9111 section 4.3.4)."""
        self.flight.entry.cache = "revalidated"
        new = [header for header in _kept_headers(answer) if header[0] != b"content-length"]
        names = {name for name, _ in new}
        headers = [header for header in known.answer.headers if header[0] not in names] + new
        fresh = msgspec.structs.replace(known.answer, headers=headers)
        lasts = self.cache.life(fresh.status, [*headers, *_ages(answer)])
        if lasts is None or self.cache.changes != self.changes:
            self.cache.drop(self.question)
            return _told(self.cache, known, self.condition)
        entry = self.cache.entry(self.question, self.exchange, fresh, lasts)
        self.cache.keep(entry)
        return _told(self.cache, entry, self.condition)


def _wanted(known: Entry, asked: dict[str, str]) -> float:
    """How old, in seconds, the answer must not be yet."""
    if "no-cache" in asked:
        return 0
    text = asked.get("max-age", "")
    # With `max-age=0` even what has come this second is asked about again.
    return min(known.life.seconds, int(text) if text.isdecimal() and len(text) < 10 else known.life.seconds)


def _told(cache: ResponseCache, known: Entry, condition: str) -> KeptAnswer:
    """What the client gets of a kept answer: all of it, or that it has it already."""
    headers = [*known.answer.headers, (b"age", str(cache.age(known)).encode())]
    if condition and matches(condition, known.life.tag):
        return KeptAnswer(status=304, headers=[header for header in headers if header[0] in _REPEATED])
    return msgspec.structs.replace(known.answer, headers=headers)


def _kept_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    return [header for header in guard.outward(answer.headers) if header[0] != b"age"]


def _ages(answer: Answer) -> list[tuple[bytes, bytes]]:
    return [header for header in answer.headers if header[0] == b"age"]


def _special(exchange: Exchange) -> bool:
    return (
        exchange.method != "GET"
        or exchange.expects_body
        or any(name in _SPECIAL for name, _ in exchange.headers)
    )


def _forgetting(cache: ResponseCache, question: Question, through: Through | None) -> Through:
    """Forgets what is known of a place that this request has changed."""

    def passed(answer: Answer) -> Answer:
        if answer.status < 400:
            cache.changed(question.target)
        return answer if through is None else through(answer)

    return passed
