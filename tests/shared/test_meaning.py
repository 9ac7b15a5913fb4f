"""Texts are found by what they mean, and no more of them is remembered than was said."""

import asyncio
import sys
from collections.abc import Sequence

import pytest

from shared import embed
from shared.meaning import Meaning

TEXTS = (
    "Refunds: gives customers back what they paid for orders.",
    "Weather: tells the forecast for a city.",
    "Travel: books flights and hotels.",
)


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that was made a vector of, in order."""
    seen: list[str] = []
    real = embed.embed

    def noted(texts: Sequence[str]) -> embed.Vectors:
        seen.extend(texts)
        return real(texts)

    monkeypatch.setattr(embed, "embed", noted)
    return seen


async def test_what_means_something_alike_comes_first_and_the_rest_not_at_all() -> None:
    meaning = Meaning()
    assert await meaning.alike("will it rain tomorrow in Paris", TEXTS) == [1]
    assert (await meaning.alike("money for a client", TEXTS))[0] == 0
    assert await meaning.alike("zzzz", TEXTS) == []
    assert await meaning.alike("anything", ()) == []


async def test_a_text_is_looked_at_once(embedded: list[str]) -> None:
    meaning = Meaning()
    await meaning.alike("rain", TEXTS)
    await meaning.alike("hotel", (*TEXTS, TEXTS[0]))
    assert embedded == ["rain", *TEXTS, "hotel"]


async def test_only_so_many_are_remembered_those_that_were_compared_last(embedded: list[str]) -> None:
    meaning = Meaning(most=3)
    for text in TEXTS:
        await meaning.alike("q", [text])
    await meaning.alike("q", ["another"])
    embedded.clear()
    await meaning.alike("q", ["another", *TEXTS[1:]])
    assert embedded == ["q"]
    await meaning.alike("q", TEXTS[:1])
    assert embedded == ["q", "q", TEXTS[0]]
    assert len(meaning._known) == 3


async def test_more_than_can_be_remembered_are_compared_all_the_same() -> None:
    meaning = Meaning(most=1)
    assert await meaning.alike("will it rain tomorrow in Paris", TEXTS) == [1]
    assert len(meaning._known) == 1


async def test_those_who_search_at_once_take_turns(embedded: list[str]) -> None:
    meaning = Meaning()
    found = await asyncio.gather(*(meaning.alike("rain in the city", TEXTS) for _ in range(8)))
    assert found == [[1]] * 8
    assert all(embedded.count(text) == 1 for text in TEXTS)


async def test_without_the_model_nothing_is_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shared.embed", None)
    assert await Meaning().alike("will it rain", TEXTS) == []
