"""`gatestack`: run the stack, and ask or tell it things. Human output by default, `--json` everywhere."""

import importlib
import io
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError
from rich.console import Console

from api_gateway.cli.remote import CommandFailed
from api_gateway.cli.show import Output, harmless
from api_gateway.cli.usage import PARAMETERS, explained, release

# As shells write it of programs that an interrupt has ended.
_INTERRUPTED = 130

# Modules, in the order of the help.
_NOUNS = (
    "up",
    "config",
    "doctor",
    "keys",
    "policy",
    "chain",
    "spend",
    "kill",
    "maintenance",
    "approvals",
    "catalog",
    "audit",
    "token",
    "transcripts",
    "apply",
    "status",
)
# The words that are not called like the module that they are in.
_VERBS = {"chains": "chain", "diff": "apply", "export": "apply"}


def command_line(word: str = "") -> App:
    """All of it, or as much as a command that begins with `word` needs: loading the rest takes longer than
    most of them run.
    """
    app = App(
        name="gatestack",
        help=__doc__,
        version=release,
        version_flags=["--version"],
        default_parameter=PARAMETERS,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    noun = _VERBS.get(word, word)
    for name in (noun,) if noun in _NOUNS else _NOUNS:
        importlib.import_module(f"api_gateway.cli.{name}").register(app)
    return app


def main(argv: list[str] | None = None) -> int:
    """Exit code 0, 1 when a command failed, 2 when it was called wrongly or the configuration is wrong; 130
    when it was interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal or pipe that has no letter for something gets its number.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _done(sys.argv[1:] if argv is None else argv)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:
        _into_nothing()
        # Who stops to read, like `head`, knows it.
        if not isinstance(error, BrokenPipeError):
            where = f"{error.filename}: " if error.filename else ""
            print(harmless(f"gatestack: {where}{error.strerror or error}"), file=sys.stderr)
        return 1
    return code


def _done(words: Sequence[str]) -> int:
    app = command_line(words[0] if words else "")
    try:
        result = app(words, exit_on_error=False, print_error=False, console=Console())
    except CycloptsError as error:
        print(f"gatestack: {explained(error)}", file=sys.stderr)
        return 2
    except CommandFailed as error:
        print(f"gatestack: {harmless(str(error))}", file=sys.stderr)
        return error.code
    if isinstance(result, Output):
        result.show()
        return result.code
    return int(result or 0)


def _into_nothing() -> None:
    """What is still to be written at the end would fail once more."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
