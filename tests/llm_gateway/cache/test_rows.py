"""Looking at an eighth of each vector finds what looking at all of them finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gateway.cache.rows import Rows
from shared.embed import Vectors, embed

# What float32 may round away; which side of a threshold that falls on is nobody's promise.
_DOUBT = 1e-4
_WORDS = ("reset", "password", "invoice", "taxes", "train", "Oslo", "refund", "account", "cancel", "order")


def rows_of(vectors: Vectors) -> Rows:
    rows = Rows(vectors.shape[1])
    for vector in vectors:
        rows.add(vector)
    return rows


def agrees(vectors: Vectors, asked: Vectors, threshold: float) -> None:
    """Nothing above the threshold is missed, nothing below it is found, and scores are the full ones."""
    exact = vectors.astype(np.float64) @ asked.astype(np.float64)
    places, scores = rows_of(vectors).near(asked, threshold)
    assert set(np.flatnonzero(exact >= threshold + _DOUBT)) <= set(places)
    assert set(places) <= set(np.flatnonzero(exact >= threshold - _DOUBT))
    assert np.allclose(scores, exact[places], atol=_DOUBT)


@settings(deadline=None, database=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 200),
    width=st.integers(1, 300),
    spread=st.floats(0, 3),
    eighth=st.floats(0, 4),
    threshold=st.floats(0.01, 1),
)
def test_a_scan_by_eighths_finds_what_a_full_scan_finds(
    seed: int, count: int, width: int, spread: float, eighth: float, threshold: float
) -> None:
    """`spread` is how far vectors lie from the one asked for, `eighth` how much lies in their first part."""
    draw = np.random.default_rng(seed)
    asked = draw.standard_normal(width)
    found = asked + spread * draw.uniform(0, 1, (count, 1)) * draw.standard_normal((count, width))
    weights = np.where(np.arange(width) < width / 8, eighth, 1.0)
    asked, found = asked * weights, found * weights
    asked /= np.linalg.norm(asked) or 1
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    agrees(found.astype(np.float16).astype(np.float32), asked.astype(np.float32), threshold)


@pytest.mark.parametrize("threshold", [0.5, 0.75, 0.9, 0.95, 1.0])
def test_the_same_holds_for_questions(threshold: float) -> None:
    texts = [
        f"how do I {one} the {other} of {third}" for one in _WORDS for other in _WORDS for third in _WORDS
    ]
    vectors = embed(texts)
    for asked in vectors[::97]:
        agrees(vectors, asked, threshold)


def test_what_is_next_to_the_threshold_by_its_bound_alone_is_looked_at_in_full() -> None:
    """First parts that say nothing leave everything to the rests."""
    vectors = np.zeros((40, 8), dtype=np.float32)
    vectors[np.arange(40), 2 + np.arange(40) % 6] = 1
    agrees(vectors, vectors[3], 0.95)
    places, _ = rows_of(vectors).near(vectors[3], 0.95)
    assert list(places) == [3, 9, 15, 21, 27, 33, 39]


def test_those_that_were_dropped_are_not_found_again() -> None:
    vectors = embed([f"question about {word}" for word in _WORDS])
    rows = rows_of(np.tile(vectors, (20, 1)))
    rows.drop(195)
    places, _ = rows.near(vectors[0], 0.99)
    assert (len(rows), list(places)) == (5, [])
    rows.add(vectors[0])
    assert list(rows.near(vectors[0], 0.99)[0]) == [5]


def test_a_vector_that_is_no_number_is_near_to_nothing_and_hides_nothing() -> None:
    vectors = np.array([[np.nan, 0, 0, 0], [0, 1, 0, 0], [0, np.inf, 0, 0]], dtype=np.float32)
    places, _ = rows_of(vectors).near(np.array([0, 1, 0, 0], dtype=np.float32), 0.9)
    assert 1 in places
    assert 0 not in places


def test_nothing_is_near_where_nothing_is_kept() -> None:
    places, scores = Rows(4).near(np.ones(4, dtype=np.float32), 0.1)
    assert (len(places), len(scores)) == (0, 0)
