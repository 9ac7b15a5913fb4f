"""Texts as vectors, in this process: static embeddings whose weights come with the package. For the semantic
cache, topics, the task router, the injection model and searches by meaning.

Not for callers: what they ask to be embedded goes to a model of the catalog.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 256
Vectors = NDArray[np.float32]


def embed(texts: Sequence[str]) -> Vectors:
    """One row of DIMENSIONS for each text, of length 1 (a text without any known word: all zeros)."""
    rows: Vectors = _model().embed(list(texts), norm=False)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0), dtype=np.float32)


def embed_one(text: str) -> Vectors:
    """The row of `embed([text])`, without what several texts at once cost: for who waits for one."""
    model = _model()
    found = model.tokenizer.encode(text, add_special_tokens=False).ids
    row: Vectors = model.embedding[found].sum(axis=0)
    length = np.sqrt(row @ row)
    return row / length if length > 0 else row


@cache
def _model() -> Any:
    # Half a second and 60 MB: only for those who have configured something that needs it.
    from wordllama import WordLlama

    found = find_spec("wordllama")
    assert found is not None
    assert found.origin is not None
    # Told where its weights are, it does not look for them on the network.
    return WordLlama.load(cache_dir=Path(found.origin).parent, disable_download=True)
