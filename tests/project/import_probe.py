"""Run by `test_imports` in a process of its own: imports modules and prints what that did to the outside.

Arguments: the libraries to import first (what they do is their business), `--`, the modules of ours.
"""

import contextlib
import importlib
import sys
import threading
from typing import Any

_EVENTS = (
    "socket.",
    "subprocess.",
    "signal.",
    "os.fork",
    "os.exec",
    "os.posix_spawn",
    "os.system",
    "os.putenv",
)
_FILE_EVENTS = ("os.mkdir", "os.remove", "os.rename", "os.rmdir")
_seen: list[str] = []


def _watch(event: str, details: tuple[Any, ...]) -> None:
    writes = event == "open" and isinstance(details[1], str) and set(details[1]) & set("wax+")
    if writes or event.startswith(_EVENTS + _FILE_EVENTS):
        _seen.append(f"{event} {details!r:.120}")


def _watch_threads() -> None:
    """Python 3.11 has no audit event for them."""
    start = threading.Thread.start

    def noted(self: threading.Thread) -> None:
        _seen.append(f"thread {self.name}")
        start(self)

    threading.Thread.start = noted  # type: ignore[method-assign]


def main(arguments: list[str]) -> None:
    at = arguments.index("--")
    for name in arguments[:at]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    _watch_threads()
    sys.addaudithook(_watch)
    for name in arguments[at + 1 :]:
        try:
            importlib.import_module(name)
        except Exception as error:
            _seen.append(f"{type(error).__name__}: {error}")
        sys.stdout.writelines(f"{name}: {line}\n" for line in _seen)
        _seen.clear()


if __name__ == "__main__":
    main(sys.argv[1:])
