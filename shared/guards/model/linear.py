"""The weights, and what they make of a text: how much it looks like an attempt to give the model other
orders.
"""

import base64
import math
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from shared.guards.model.features import features, windows

_FILE = Path(__file__).parent / "weights.json"


class Stored(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`weights` are signed bytes in base64, to be multiplied by `scale`. `threshold` holds for texts of one
    window, `threshold_long` for longer ones, which have more chances to look wrong.
    """

    made: str
    bias: float
    scale: float
    threshold: float
    threshold_long: float
    weights: str


class Linear:
    def __init__(self, stored: Stored) -> None:
        self.threshold = stored.threshold
        self.threshold_long = stored.threshold_long
        raw = np.frombuffer(base64.b64decode(stored.weights), dtype=np.int8)
        self._weights: NDArray[np.float32] = raw.astype(np.float32) * np.float32(stored.scale)
        self._bias = stored.bias

    def score(self, text: str) -> tuple[float, bool]:
        """From 0 to 1, the worst of its windows, and whether there was more than one."""
        pieces = windows(text)
        worst = max(map(self._logit, pieces), default=-20.0)
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, worst)))), len(pieces) > 1

    def _logit(self, window: str) -> float:
        places = features(window)
        return float(self._weights[places].sum()) / math.sqrt(len(places)) + self._bias


@cache
def load() -> Linear:
    return Linear(msgspec.json.decode(_FILE.read_bytes(), type=Stored))
