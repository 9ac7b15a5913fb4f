"""Files and folders: can state be written, is there room, and who else reads what is secret?"""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from api_gateway.doctor.finding import Case, Finding, Level, worst
from api_gateway.operator_key import OPERATOR_KEY_FILE

_LOW, _VERY_LOW = 2**30, 100 * 2**20
_OTHERS = 0o077


async def state_folder(case: Case) -> list[Finding]:
    folder = case.loaded.path(case.loaded.shared.state.dir)
    if not folder.is_dir():
        return [
            _say("warning", f"{folder} is not there", "it is made at the first start; is state.dir right?")
        ]
    found = []
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        found.append(
            _say("error", f"{folder} cannot be written", "give it to the user that runs the services")
        )
    free = shutil.disk_usage(folder).free
    if free < _LOW:
        level: Level = "error" if free < _VERY_LOW else "warning"
        found.append(_say(level, f"{free // 2**20} MB are left at {folder}", "make room"))
    return worst(found, "state", f"{folder} can be written")


async def secrets(case: Case) -> list[Finding]:
    found = []
    for path in _secret(case):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _OTHERS:
            do = f"chmod 600 {path}, and replace what was in it"
            found.append(Finding(level="error", check="keys", what=f"{path} has mode {mode:04o}", do=do))
    return worst(found, "keys", "nobody else on this machine reads a private key")


def _secret(case: Case) -> Iterator[Path]:
    shared = case.loaded.shared
    keys, state = case.loaded.path(shared.identity.keys_dir), case.loaded.path(shared.state.dir)
    if keys.is_dir():
        yield from (path for path in sorted(keys.iterdir()) if path.is_file() and _private(path))
    for path in (state / OPERATOR_KEY_FILE, state / "gatestack.db"):
        if path.is_file():
            yield path
    if case.loaded.section.tls is not None:
        key = case.loaded.path(case.loaded.section.tls.key)
        if key.is_file():
            yield key


def _private(path: Path) -> bool:
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return b"PRIVATE KEY" in content or b'"d":' in content.replace(b" ", b"")


def _say(level: Level, what: str, do: str) -> Finding:
    return Finding(level=level, check="state", what=what, do=do)
