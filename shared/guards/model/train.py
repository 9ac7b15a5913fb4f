"""Makes `weights.json`, and prints the table of CARD.md: `make guard-model`. The same corpora give the same
weights.
"""

import base64
import csv
import math
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.guards.model.corpora import PACKAGE, Row, hidden, hideable, prose, rows
from shared.guards.model.features import SIZE, WINDOW, Places, features, windows
from shared.guards.model.linear import Linear, Stored
from shared.guards.model.requests import everyday

_SEED = 7
_EPOCHS, _BATCH, _RATE, _DECAY = 12, 64, 0.5, 1e-5
_HIDDEN, _JOINED, _ASKED = 6_000, 3_000, 4_000
_LONG = 1_500
# Windows that one text is learnt by.
_PIECES = 40
# Of what is harmless, this share may be taken for an attack.
_FALSE_ALARMS = 0.01
_SAMPLE = 400
_PAGES = 3_000
_HERE = Path(__file__).parent
_TESTS = _HERE.parents[2] / "tests" / "shared" / "guards"
_SAMPLE_FILE, _EVERYDAY = _TESTS / "held_out.csv", _TESTS / "everyday.txt"


def main() -> None:
    chance = random.Random(_SEED)  # noqa: S311 - the same numbers every time are what is wanted
    with tempfile.TemporaryDirectory() as folder:
        labelled = rows(Path(folder))
    plain = prose()
    stored = _fitted(_lessons(labelled, plain, chance))
    stored = _with_thresholds(stored, labelled, plain, chance)
    (_HERE / "weights.json").write_bytes(msgspec.json.format(msgspec.json.encode(stored)) + b"\n")
    _write_sample(labelled)
    model = Linear(stored)
    for name, harmless, attacks in _trials(labelled, plain, chance):
        sys.stdout.write(_measured(model, name, harmless, attacks) + "\n")


def _lessons(
    labelled: Sequence[Row], plain: Sequence[Row], chance: random.Random
) -> list[tuple[Places, int]]:
    """Short texts as they are; windows of prose; questions one after the other; attacks hidden in both."""
    own = [row for row in labelled if row.part == "train"]
    pieces = [piece for row in plain if row.part == "train" for piece in windows(row.text)[:_PIECES]]
    asked = everyday("train", _ASKED, chance)
    calm = [*(row.text for row in own if not row.label), *asked]
    joined = [" ".join(chance.sample(calm, chance.randint(2, 6))) for _ in range(_JOINED)]
    attacks = chance.sample(hideable(own, "train"), _HIDDEN)
    hosts = [pieces, joined]
    concealed = [hidden(row, chance.choice(chance.choice(hosts)), WINDOW, chance) for row in attacks]
    texts = [(row.text, row.label) for row in (*own, *concealed) if len(row.text) <= 2 * WINDOW]
    texts += [(text, 0) for text in (*pieces, *joined, *(piece for text in asked for piece in windows(text)))]
    return [(features(window[0]), label) for text, label in texts if (window := windows(text))]


def _fitted(lessons: Sequence[tuple[Places, int]]) -> Stored:
    """Logistic regression by AdaGrad."""
    order = np.random.default_rng(_SEED)
    weights, sums = np.zeros(SIZE), np.full(SIZE, 1e-6)
    bias, bias_sum = 0.0, 1e-6
    labels = np.array([label for _, label in lessons], dtype=np.float64)
    for _ in range(_EPOCHS):
        for batch in np.array_split(order.permutation(len(lessons)), len(lessons) // _BATCH):
            places = [lessons[at][0] for at in batch]
            counts = np.array([len(each) for each in places])
            flat, owner = np.concatenate(places), np.repeat(np.arange(len(batch)), counts)
            share = np.repeat(1 / np.sqrt(counts), counts)
            logits = np.bincount(owner, weights[flat] * share, len(batch)) + bias
            miss = (1 / (1 + np.exp(-logits)) - labels[batch]) / len(batch)
            touched = np.unique(flat)
            slope = np.bincount(flat, miss[owner] * share, SIZE)[touched] + _DECAY * weights[touched]
            sums[touched] += slope**2
            weights[touched] -= _RATE * slope / np.sqrt(sums[touched])
            bias_sum += miss.sum() ** 2
            bias -= _RATE * miss.sum() / math.sqrt(bias_sum)
    return _packed(weights, bias)


def _packed(weights: NDArray[np.float64], bias: float) -> Stored:
    scale = float(np.abs(weights).max()) / 127
    small = np.round(weights / scale).astype(np.int8)
    return Stored(
        made=f"from {PACKAGE} and the documentation of Python {sys.version_info[0]}.{sys.version_info[1]}",
        bias=round(float(bias), 6),
        scale=scale,
        threshold=0.5,
        threshold_long=0.5,
        weights=base64.b64encode(small.tobytes()).decode(),
    )


def _with_thresholds(
    stored: Stored, labelled: Sequence[Row], plain: Sequence[Row], chance: random.Random
) -> Stored:
    """What the harmless texts kept for this stay below, short ones and long ones apart."""
    model = Linear(stored)
    short = [
        row.text for row in labelled if row.part == "choice" and not row.label and len(row.text) <= WINDOW
    ]
    # Each kind of documentation by itself: there is much more of one than of the other.
    long = [_pages([row for row in plain if row.source == kind], "choice") for kind in ("stdlib", "packages")]
    long.append([text for text in everyday("choice", 500, chance) if len(text) > WINDOW])
    one, *many = (
        float(np.quantile([model.score(text)[0] for text in texts], 1 - _FALSE_ALARMS))
        for texts in (short, *long)
    )
    return msgspec.structs.replace(stored, threshold=round(one, 4), threshold_long=round(max(one, *many), 4))


def _trials(
    labelled: Sequence[Row], plain: Sequence[Row], chance: random.Random
) -> list[tuple[str, list[str], list[str]]]:
    """Name, harmless texts and attacks: only what nothing was learnt from and nothing chosen by."""
    test = [row for row in labelled if row.part == "test"]
    trials = [
        (f"{source}, held out", _texts(test, source, 0), _texts(test, source, 1))
        for source in ("s-labs", "neuralchemy", "yanismiraoui")
    ]
    pages = _pages(plain, "test")
    attacks = [
        hidden(row, chance.choice(pages), _LONG, chance).text
        for row in chance.sample(hideable(test, "test"), 1_000)
    ]
    trials.append(("everyday requests, of phrases held out", everyday("test", 1_000, chance), []))
    trials.append(("everyday requests, written apart from all that", _EVERYDAY.read_text().splitlines(), []))
    return [*trials, (f"one hidden in {_LONG} characters of documentation", pages, attacks)]


def _pages(plain: Sequence[Row], part: str) -> list[str]:
    """Long texts, a page each."""
    return [
        row.text[at : at + _LONG]
        for row in plain
        if row.part == part
        for at in range(0, len(row.text) - _LONG + 1, _LONG)
    ][:_PAGES]


def _texts(found: Sequence[Row], source: str, label: int) -> list[str]:
    return [row.text for row in found if row.source == source and row.label == label]


def _measured(model: Linear, name: str, harmless: Sequence[str], attacks: Sequence[str]) -> str:
    """A line of the table: numbers of texts, area under the curve, precision, recall, false alarms."""
    calm, bad = ([model.score(text) for text in texts] for texts in (harmless, attacks))
    alarms, hits = (
        sum(score >= (model.threshold_long if long else model.threshold) for score, long in each)
        for each in (calm, bad)
    )
    recall = f"{hits / len(bad):.3f}" if bad else ""
    false = f"{alarms / len(calm):.3f}" if calm else ""
    area = f"{_area([score for score, _ in calm], [score for score, _ in bad]):.3f}" if calm and bad else ""
    precision = f"{hits / (hits + alarms):.3f}" if calm and bad else ""
    return f"| {name} | {len(calm)} | {len(bad)} | {area} | {precision} | {recall} | {false} |"


def _area(calm: Sequence[float], bad: Sequence[float]) -> float:
    """The chance that an attack scores higher than a harmless text."""
    ordered = np.sort(np.array(calm))
    below, upto = (np.searchsorted(ordered, bad, side) for side in ("left", "right"))
    return float((below + upto).mean() / 2 / len(calm))


def _write_sample(labelled: Sequence[Row]) -> None:
    """Some of the held-out rows, for the tests: of the corpus whose licence asks for the least (MIT)."""
    test = [row for row in labelled if row.part == "test" and row.source == "s-labs"]
    with _SAMPLE_FILE.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("text", "label"))
        writer.writerows((row.text, row.label) for row in test[:_SAMPLE])


if __name__ == "__main__":
    main()
