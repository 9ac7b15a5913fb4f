"""What the tests about the project itself look at: its root, its packages and its own files."""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("api_gateway", "llm_gateway", "mcp_gateway", "agent_gateway")
PACKAGES = ("shared", *SERVICES)
_GENERATED = {"__pycache__", "node_modules", "build", "gatestack.egg-info", "bench.json", "uv.lock"}
_DOTTED = {".ci", ".gitignore", ".dockerignore"}


def files() -> Iterator[Path]:
    """Every file of the project that is not generated and not hidden."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if _ours(name))
        yield from (Path(folder, name) for name in sorted(names) if _ours(name))


def python_files(*folders: str) -> Iterator[Path]:
    """Every Python file below these folders of the root, or of the whole project."""
    tops = set(folders)
    for path in files():
        if path.suffix == ".py" and (not tops or path.relative_to(ROOT).parts[0] in tops):
            yield path


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def _ours(name: str) -> bool:
    return name not in _GENERATED and (not name.startswith(".") or name in _DOTTED)
