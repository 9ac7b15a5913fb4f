"""Just enough of a Dockerfile's grammar to see what goes into an image and how it starts."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.project.tree import ROOT


def instructions(path: Path) -> Iterator[tuple[str, str]]:
    """Each instruction with its arguments, continued lines joined, comments left out."""
    text = path.read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            yield name, " ".join(rest.split())


def copied(path: Path) -> list[str]:
    """What it takes from the repository, in order. Copies from an earlier stage are no such thing."""
    sources: list[str] = []
    for name, rest in instructions(path):
        if name in ("COPY", "ADD") and not rest.startswith("--from="):
            sources += rest.split()[:-1]
    return sources


def lay_out(path: Path, image: Path) -> None:
    """Makes `image` the folder that the container would start in."""
    for source in copied(path):
        if source.endswith("/"):
            shutil.copytree(ROOT / source, image / source, ignore=shutil.ignore_patterns("__pycache__"))
