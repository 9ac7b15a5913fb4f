"""Casbin's CSV policy files, read by Casbin's own adapter, with the line of everything that is wrong in them.

Casbin's reader passes over lines that it does not know; in a file that denies things that must not go
unnoticed.
"""

from pathlib import Path
from typing import Any

from casbin.model import Model
from casbin.persist import load_policy_line
from casbin.persist.adapters import FileAdapter
from msgspec import Struct

from shared.policy.model import MODEL


class Line(Struct, frozen=True):
    number: int
    kind: str
    fields: tuple[str, ...]


class CsvFile(FileAdapter):  # type: ignore[misc]  # casbin ships no types
    """The file adapter, but loading fills `lines`, and `problems` with what is not one."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path
        self.lines: list[Line] = []
        self.problems: list[str] = []

    def _load_policy_file(self, model: Any) -> None:
        for number, text in enumerate(self.path.read_text("utf-8-sig").splitlines(), start=1):
            if text.strip() and not text.lstrip().startswith("#"):
                self._load_line(number, text.strip(), model)

    def _load_line(self, number: int, text: str, model: Any) -> None:
        kind = text.split(",", 1)[0].strip()
        known = {name: model[section][name].policy for section in "pg" for name in model[section]}
        if kind not in known:
            self.problems.append(f"line {number}: begins with {kind[:40]!r} (known: {', '.join(known)})")
            return
        try:
            load_policy_line(text, model)
        except IndexError:
            self.problems.append(f"line {number}: closes a bracket that it does not open")
            return
        self.lines.append(Line(number, kind, tuple(known[kind][-1])))


def read(path: Path) -> tuple[list[Line], list[str]]:
    """The lines of a CSV file, and what is wrong with the others. Raises OSError, UnicodeDecodeError."""
    model = Model()
    model.load_model_from_text(MODEL)
    file = CsvFile(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path.name}")
    file.load_policy(model)
    return file.lines, file.problems
