"""Stage: a GET is answered from what this process has kept, if that is fresh or the service says that it
still holds; otherwise by the service.

It stands behind policy and limits: what is kept is only for who may ask for it now.
"""

import math

import msgspec

from api_gateway import guard
from api_gateway.answer import Answer, Keeping, KeptAnswer, ReadAhead, Through
from api_gateway.cache_control import directives, matches
from api_gateway.collapse import Leader
from api_gateway.errand import Errand, Forward
from api_gateway.relay import relay
from api_gateway.response_cache import Entry, Question, ResponseCache
from shared.account import Flight
from shared.asgi import Exchange

_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
# What asks for a part, or for an answer under a condition that only the service can judge.
_SPECIAL = frozenset((b"range", b"if-match", b"if-range", b"if-unmodified-since"))
_CONDITIONS = frozenset((b"if-none-match", b"if-modified-since"))
# What a 304 repeats of the answer that it stands for (RFC 9110 section 15.4.5).
_REPEATED = frozenset((b"age", b"cache-control", b"content-location", b"etag", b"expires", b"vary"))


class Recall:
    def __init__(self, forward: Forward) -> None:
        self._forward = forward

    async def __call__(self, errand: Errand) -> None:
        """Raises what forwarding raises."""
        cache, exchange = errand.upstream.cache, errand.exchange
        if cache is None:
            await self._forward(errand)
            return
        question = cache.question(exchange, errand.caller)
        asked = directives(exchange.headers)
        if exchange.method not in _SAFE:
            forgetting = _forgetting(cache, question, errand.through)
            await self._forward(msgspec.structs.replace(errand, through=forgetting))
        elif errand.through is not None or "no-store" in asked or _special(exchange):
            errand.flight.entry.cache = "bypass"
            await self._forward(errand)
        else:
            await self._ask(errand, question, cache, asked)

    async def _ask(
        self, errand: Errand, question: Question, cache: ResponseCache, asked: dict[str, str]
    ) -> None:
        exchange, flight, oldest = errand.exchange, errand.flight, _oldest(asked)
        condition = exchange.header_or_none("if-none-match") or ""
        same = cache.common(question, exchange)
        known, how = cache.find(question, exchange), "hit"
        # Who wants it asked for anew cannot do with what was asked for before.
        if not _fits(cache, known, oldest) and oldest > 0 and await cache.collapse.wait(same):
            known, how = cache.find(question, exchange), "collapsed"
        if known is not None and _fits(cache, known, oldest):
            flight.entry.cache = how
            await relay(exchange, flight, _told(cache, known, condition), errand.upstream)
            return
        flight.entry.cache = "miss"
        conditional = _ask_about(exchange, known)
        # What answers a condition of the client's own is of no use to others.
        with cache.collapse.leading(same, flight, alone=conditional) as leader:
            visit = _Visit(
                exchange=exchange,
                flight=flight,
                cache=cache,
                question=question,
                known=known,
                condition=condition,
                changes=cache.changes,
                leader=leader,
                same=same,
            )
            await self._forward(msgspec.structs.replace(errand, through=visit.through))


class _Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One question on its way to the service: what was known before, how often something had been forgotten
    by then, and who follows it.
    """

    exchange: Exchange
    flight: Flight
    cache: ResponseCache
    question: Question
    known: Entry | None
    condition: str
    changes: int
    leader: Leader
    same: object

    def through(self, answer: Answer) -> Answer:
        cache, known = self.cache, self.known
        if answer.status == 304 and known is not None and known.life.tag:
            return self._still(answer, known)
        lasts, cap = cache.life(answer.status, answer.headers), cache.rule.max_answer_bytes
        if lasts is None or not _fit_to_keep(answer, cap):
            if known is not None:
                cache.drop(self.question)
            self._release(kept=False, status=answer.status)
            return answer

        async def keep(whole: KeptAnswer | None) -> None:
            if whole is not None and cache.changes == self.changes:
                cache.keep(cache.entry(self.question, self.exchange, whole, lasts))
            self._release(kept=whole is not None, status=answer.status)

        # Others must not wait for a client of somebody else to read.
        source = ReadAhead(answer, cap) if cache.rule.shared else answer
        return Keeping(source, _kept_headers(answer), cap, keep)

    def _release(self, *, kept: bool, status: int) -> None:
        # What failed may be kept next time, and a 304 to a condition of the client's tells nothing of it.
        if not kept and status < 500 and status != 304:
            self.cache.collapse.part(self.same)
        self.leader.release()

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
        self.leader.release()
        return _told(self.cache, entry, self.condition)


def _ask_about(exchange: Exchange, known: Entry | None) -> bool:
    """Makes the request one about the answer that is known, where that has a tag. Otherwise: is it a
    conditional one of the client's?
    """
    if known is None or not known.life.tag:
        return any(name in _CONDITIONS for name, _ in exchange.headers)
    kept = [header for header in exchange.headers if header[0] not in _CONDITIONS]
    exchange.headers = [*kept, (b"if-none-match", known.life.tag.encode("latin-1"))]
    return False


def _oldest(asked: dict[str, str]) -> float:
    """How old, in seconds, an answer must not be yet for who asks like this. 0: it is asked for anew."""
    if "no-cache" in asked:
        return 0
    text = asked.get("max-age", "")
    return int(text) if text.isdecimal() and len(text) < 10 else math.inf


def _fits(cache: ResponseCache, known: Entry | None, oldest: float) -> bool:
    # With `max-age=0` even what has come this second is asked about again.
    return known is not None and cache.age(known) < min(known.life.seconds, oldest)


def _fit_to_keep(answer: Answer, cap: int) -> bool:
    """Is this an answer that comes to an end, before there is too much of it?"""
    length = answer.header("content-length") or "0"
    stream = (answer.header("content-type") or "").startswith("text/event-stream")
    return length.isdecimal() and int(length) <= cap and not stream


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
