"""One text gets the vector that it gets among many."""

import numpy as np
import pytest

from shared.embed import DIMENSIONS, embed, embed_one


@pytest.mark.parametrize("text", ["Reset my password, please!", "Grüße aus 東京 🙂", "x", "word " * 900])
def test_alone_or_among_others_a_text_has_one_vector(text: str) -> None:
    among = embed(["something else", text, "and a much longer text than the one before"])[1]
    assert np.allclose(embed_one(text), among, atol=1e-6)
    assert embed_one(text).dtype == among.dtype == np.float32


def test_a_text_without_words_has_no_direction() -> None:
    assert not embed_one("").any()
    assert embed_one("").shape == (DIMENSIONS,)
