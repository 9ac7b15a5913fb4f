"""What the pages show: their links, and their blocks of code with the place where each stands."""

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from tests.project.tree import PACKAGES, ROOT, name_of, python_files

PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_NAMED = re.compile(r"`(gatestack [^`\n]+)`")
_WITHIN = re.compile(r"\$\((gatestack [^)]*)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


class Block(Struct, frozen=True):
    """`place` is `page:line`."""

    place: str
    language: str
    text: str


def blocks(language: str) -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text()
        for match in _BLOCK.finditer(text):
            if match[2] == language:
                line = text.count("\n", 0, match.start()) + 1
                plain = re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE)
                yield Block(f"{name_of(page)}:{line}", language, plain)


def links(page: Path) -> list[str]:
    """Where a page leads within the project."""
    found: list[str] = _LINK.findall(_prose(page))
    return [target for target in found if not target.startswith(("http://", "https://"))]


def anchors(page: Path) -> set[str]:
    """What a link can name after `#`, as GitHub makes it of headings."""
    headings = (
        re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in _HEADING.findall(_prose(page))
    )
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def commands() -> Iterator[Block]:
    """Every line of a shell block that calls `gatestack`, or does so within `$(…)`."""
    for block in blocks("sh"):
        for number, line in enumerate(block.text.split("\n"), 1):
            page, _, first = block.place.partition(":")
            within = [line] if line.startswith("gatestack ") else _WITHIN.findall(line)
            for command in within:
                yield Block(f"{page}:{int(first) + number}", "gatestack", command)


def named_commands() -> Iterator[Block]:
    """Every command, whole or not, that a sentence of a page or of the source names."""
    for path in (*PAGES, *python_files(*PACKAGES)):
        text = path.read_text()
        for match in _NAMED.finditer(_BLOCK.sub(_blank, text)):
            line = text.count("\n", 0, match.start()) + 1
            yield Block(f"{name_of(path)}:{line}", "gatestack", match[1])


def _prose(page: Path) -> str:
    return _BLOCK.sub("", page.read_text())


def _blank(block: re.Match[str]) -> str:
    """As many characters and lines as the block had."""
    return re.sub(r"[^\n]", " ", block[0])
