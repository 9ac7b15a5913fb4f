"""What is told to whoever calls a command wrongly: what is wrong, and where it is written how to do it."""

import math
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

from cyclopts import (
    App,
    CycloptsError,
    MissingArgumentError,
    Parameter,
    UnknownCommandError,
    UnusedCliTokensError,
)

from api_gateway.cli.remote import CommandFailed

# What is not set is not worth a word, and every flag is off unless it is given.
PARAMETERS = Parameter(negative=(), show_default=lambda value: repr(value) if value else None)

# As the services themselves find it.
ConfigFile = Annotated[str, Parameter(env_var="GATESTACK_CONFIG")]
File = Annotated[Path, Parameter(name=("--file", "-f"))]
# For commands that speak to no edge; the others have it with its address.
AsJson = Annotated[bool, Parameter(name="--json")]


def release() -> str:
    """The release that is installed."""
    try:
        return version("gatestack")
    except PackageNotFoundError:
        return "unknown: run from sources that are not installed"


def micros(usd: float) -> int:
    """Dollars as micro-dollars. Raises CommandFailed."""
    if not math.isfinite(usd):
        raise CommandFailed(f"{usd} is no amount of dollars: write it like 0.50", 2)
    return round(usd * 1_000_000)


def explained(error: CycloptsError) -> str:
    """What is wrong with a command line."""
    command = " ".join(("gatestack", *(error.command_chain or ())))
    error.verbose = False
    why = _why(error).removesuffix(".")
    return f"{why}{'' if why.endswith('?') else '.'} How it is called: {command} --help"


def _why(error: CycloptsError) -> str:
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        name, position = error.argument.name, error.argument.index
        keywords = (error.keyword, *(token.keyword for token in error.argument.tokens))
        if given := next(filter(None, keywords), None):
            return f"{given} needs a value"
        return f"{name if position is None else name.removeprefix('--').upper()} is missing"
    if isinstance(error, UnknownCommandError):
        word = next(iter(error.unused_tokens or ()), "")
        return f"there is no command {word!r}{_meant(word, error.app)}"
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f"{' '.join(error.unused_tokens)!r} is more than it takes"
    return str(error)


def _meant(word: str, app: App | None) -> str:
    known = [name for name in app or () if not name.startswith("-")]
    near = get_close_matches(word, known, 1)
    return f": did you mean {near[0]}?" if near else ""
