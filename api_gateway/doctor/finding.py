"""What a check has found, and what is looked at."""

from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from api_gateway.config import Section
from shared.clock import Clock
from shared.config import Loaded

Level = Literal["ok", "warning", "error"]


class Finding(Struct, frozen=True, kw_only=True):
    """`what` is so; `do` says how to put it right, "" where nothing is to be done."""

    level: Level
    check: str
    what: str
    do: str = ""


class Case(Struct, frozen=True, kw_only=True):
    """A configuration that can be read: the edge's part, and `whole` as plain data."""

    path: Path
    loaded: Loaded[Section]
    whole: dict[str, Any]
    clock: Clock


def worst(found: list[Finding], check: str, well: str) -> list[Finding]:
    """What was found, or that all is well."""
    return found or [Finding(level="ok", check=check, what=well)]
