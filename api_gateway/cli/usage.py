"""What is told to whoever calls a command wrongly: what is wrong, and where it is written how to do it."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

from cyclopts import (
    CycloptsError,
    MissingArgumentError,
    Parameter,
    UnknownCommandError,
    UnusedCliTokensError,
)

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


def explained(error: CycloptsError) -> str:
    """What is wrong with a command line."""
    command = " ".join(("gatestack", *(error.command_chain or ())))
    error.verbose = False
    return f"{_why(error).removesuffix('.')}. How it is called: {command} --help"


def _why(error: CycloptsError) -> str:
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        name, position = error.argument.name, error.argument.index
        keywords = (error.keyword, *(token.keyword for token in error.argument.tokens))
        if given := next(filter(None, keywords), None):
            return f"{given} needs a value"
        return f"{name if position is None else name.removeprefix('--').upper()} is missing"
    if isinstance(error, UnknownCommandError):
        return f"there is no command {' '.join(error.unused_tokens or ())!r}"
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f"{' '.join(error.unused_tokens)!r} is more than it takes"
    return str(error)
