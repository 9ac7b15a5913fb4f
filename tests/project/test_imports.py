"""Nothing happens at import: no socket, thread, process or file, whatever module of ours is imported."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.tree import PACKAGES, ROOT, module_of, parse, python_files

PROBE = ROOT / "tests" / "project" / "import_probe.py"


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_does_nothing_but_define(package: str) -> None:
    paths = list(python_files(package))
    assert paths
    modules = [module_of(path) for path in paths if path.stem != "__main__"]
    libraries = {name for path in python_files("shared", package) for name in _libraries(path)}
    assert _probe(sorted(libraries), modules) == ""


def test_the_probe_notices_what_must_not_happen(tmp_path: Path) -> None:
    lines = ("import socket, threading", "s = socket.socket()", "threading.Thread(target=s.close).start()")
    (tmp_path / "busy.py").write_text("\n".join(lines))
    said = _probe([], ["busy"], tmp_path)
    assert "busy: socket.__new__" in said
    assert "busy: thread " in said


def _libraries(path: Path) -> set[str]:
    """What a module imports from elsewhere as it is loaded, by full name."""
    names: set[str] = set()
    for node in parse(path).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name for name in names if name.partition(".")[0] not in PACKAGES}


def _probe(libraries: list[str], modules: list[str], folder: Path = ROOT) -> str:
    command = [sys.executable, "-B", str(PROBE), *libraries, "--", *modules]
    environment = {"PYTHONPATH": str(folder), "PATH": ""}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=folder, timeout=100, check=False
    )
    return done.stdout + (done.stderr if done.returncode else "")
