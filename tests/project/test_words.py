"""No file tells where it was made: no path of somebody's machine, no address of a package registry."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tests.project.tree import ROOT, files, name_of

_TEXT_LIMIT = 2_000_000
_HOME_OF_SOMEBODY = re.compile(r"(?<![\w./$}-])/(?:home|Users)/[\w.-]+")
# Put together here, so that this file does not name them either.
_REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("crates", "io"),
        ("docker", "io"),
        ("ghcr", "io"),
        ("quay", "io"),
        ("gcr", "io"),
        ("proxy", "golang", "org"),
        ("maven", "org"),
        ("deb", "debian", "org"),
    )
]


def _texts() -> Iterator[tuple[str, str]]:
    for path in files():
        if path.stat().st_size <= _TEXT_LIMIT:
            yield name_of(path), path.read_text(errors="replace")


def _machine_paths() -> list[str]:
    """Where this very checkout and this very user live, as patterns; `/root` alone tells nothing."""
    shared_by_all = Path(tempfile.gettempdir()).resolve()
    paths = [
        path for path in (ROOT, Path.home()) if path.parts[1:] and not path.is_relative_to(shared_by_all)
    ]
    return [re.escape(str(path)) + (r"/[\w.-]+" if len(path.parts) == 2 else r"(?![\w.-])") for path in paths]


def _machine_registries() -> list[str]:
    """The hosts that this machine's own package settings name."""
    found = set()
    for name, value in os.environ.items():
        if name.startswith(("PIP_", "UV_", "NPM_CONFIG_")) and "://" in value:
            found.add(urlsplit(value.split()[0]).hostname or "")
    return sorted(host for host in found if "." in host and not host[0].isdigit())


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    here = [re.compile(rf"(?<![\w.-]){path}") for path in _machine_paths()]
    assert _found([_HOME_OF_SOMEBODY, *here]) == []


def test_no_file_names_a_package_registry() -> None:
    hosts = [*_REGISTRIES, *_machine_registries()]
    assert [f"{name}: {host}" for name, text in _texts() for host in _named(text.lower(), hosts)] == []


def _named(text: str, hosts: list[str]) -> list[str]:
    """Those of `hosts` that stand in `text`, and not as a part of another name."""
    there = (host for host in hosts if host in text)
    return [host for host in there if re.search(rf"(?<![\w-]){re.escape(host)}(?![\w-])", text)]


def _found(patterns: list[re.Pattern[str]]) -> list[str]:
    hits = (
        (name, match) for name, text in _texts() for pattern in patterns for match in pattern.finditer(text)
    )
    return [f"{name}: {match[0]}" for name, match in hits]
