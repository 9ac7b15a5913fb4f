"""A number that a page gives as a default is one: of a field that is called so."""

import re
from collections.abc import Iterator

from msgspec import NODEFAULT
from msgspec.structs import fields

from tests.project.sections import kinds
from tests.project.snippets import PAGES
from tests.project.tree import name_of

_TABLE = re.compile(r"^\| field[^\n]*\| default \|[^\n]*\n\|[-| :]+\n((?:\|.*\n)+)", re.MULTILINE)
_NUMBER = re.compile(r"`?(\d[\d,]*(?:\.\d+)?)(?: (KiB|MiB))?`?")
_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20}


def test_every_number_that_a_table_gives_as_a_default_is_one() -> None:
    real: dict[str, set[float]] = {}
    for kind in kinds():
        for field in fields(kind):
            if field.default is not NODEFAULT and isinstance(field.default, int | float):
                real.setdefault(field.encode_name, set()).add(float(field.default))
    told = list(_told())
    assert len(told) > 50
    assert [one for one in told if one[1] in real and one[2] not in real[one[1]]] == []


def _told() -> Iterator[tuple[str, str, float]]:
    """Page, field and number; of rows with several fields, where there is a number for each."""
    for page in PAGES:
        for table in _TABLE.findall(page.read_text()):
            for row in table.splitlines():
                first, second = row.split("|")[1:3]
                names, numbers = re.findall(r"`([^`]+)`", first), second.strip().split(", ")
                for name, number in zip(names, numbers, strict=False):
                    if len(names) == len(numbers) and (match := _NUMBER.fullmatch(number)):
                        amount = float(match[1].replace(",", "")) * _UNITS[match[2] or ""]
                        yield name_of(page), name.rpartition(".")[2], amount
