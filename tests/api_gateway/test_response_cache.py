"""What one process keeps of a route: by whose answers they are and by what they vary, and never too many."""

from collections.abc import Sequence

from api_gateway.answer import KeptAnswer
from api_gateway.cache_control import Life
from api_gateway.response_cache import Cache, Entry, Question, ResponseCache
from shared.clock import Clock

ANSWER = KeptAnswer(status=200, headers=[(b"vary", b"accept-language")], body=b"hello")


def entry(language: str) -> Entry:
    varies = (("accept-language", language),)
    return Entry(question=Question("/a"), answer=ANSWER, life=Life(60, 0, ""), varies=varies, at=0.0)


def kept(languages: Sequence[str]) -> ResponseCache:
    cache = ResponseCache(Cache(), Clock())
    for language in languages:
        cache.keep(entry(language))
    return cache


def test_of_too_many_variants_the_oldest_goes_and_no_more() -> None:
    many = [f"l{number:02}" for number in range(16)]
    size = entry("l00").size
    assert kept(many).bytes == 16 * size
    assert kept([*many, "l15"]).bytes == 16 * size
    assert kept([*many, "new"]).bytes == 16 * size
