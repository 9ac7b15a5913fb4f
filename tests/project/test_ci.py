"""`.ci/run` fails where something failed: but for a few tests that pass by themselves, which it names."""

import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

CI = Path(__file__).parents[2] / ".ci" / "run"
# Stands for make: each `make test` takes the next line of `plan`, its exit code and what failed.
MAKE = """#!/bin/sh
echo "make $*" >> calls
[ "$1" = "$BREAKS" ] && exit 2
[ "$1" = test ] || exit 0
read -r code failed < plan
sed -i 1d plan
mkdir -p .pytest_cache/v/cache
[ -z "$failed" ] || printf '%s' "$failed" | tr '|' '\\n' > .pytest_cache/v/cache/lastfailed
exit "$code"
"""
AGAIN = "make test ARGS=-n 0 --last-failed --last-failed-no-failures=none"


class Run(msgspec.Struct, frozen=True):
    code: int
    said: str
    calls: list[str]


def failing(*names: str) -> str:
    """What pytest keeps of tests that failed, on one line."""
    kept = msgspec.json.format(msgspec.json.encode(dict.fromkeys(names, True)), indent=2)
    return kept.decode().replace("\n", "|")


def run(directory: Path, *plan: str, breaks: str = "") -> Run:
    (directory / ".ci").mkdir()
    shutil.copy(CI, directory / ".ci" / "run")
    make = directory / "bin" / "make"
    make.parent.mkdir()
    make.write_text(MAKE)
    make.chmod(0o755)
    (directory / "plan").write_text("".join(f"{line}\n" for line in plan))
    env = {"PATH": f"{make.parent}:{os.environ['PATH']}", "BREAKS": breaks}
    done = subprocess.run([directory / ".ci" / "run"], env=env, capture_output=True, text=True, check=False)
    return Run(done.returncode, done.stdout, (directory / "calls").read_text().splitlines())


def test_what_passes_runs_once(tmp_path: Path) -> None:
    done = run(tmp_path, "0")
    assert (done.code, done.calls) == (0, ["make setup", "make test", "make check"])
    assert "TRIED AGAIN" not in done.said


def test_a_test_that_passes_by_itself_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, f"2 {failing('tests/test_a.py::test_it[x y]')}", "0")
    assert (done.code, done.calls) == (0, ["make setup", "make test", AGAIN, "make check"])
    assert "TRIED AGAIN:\ntests/test_a.py::test_it[x y]\n" in done.said


@pytest.mark.parametrize(
    ("plan", "calls"),
    [
        ((f"2 {failing('a')}", "2"), ["make test", AGAIN]),
        ((f"2 {failing('a', 'b', 'c', 'd')}", "0"), ["make test"]),
        (("2 {}", "0"), ["make test"]),
        (("2", "0"), ["make test"]),
    ],
    ids=["failed twice", "too many", "none named", "never begun"],
)
def test_what_failed_fails(tmp_path: Path, plan: tuple[str, ...], calls: list[str]) -> None:
    done = run(tmp_path, *plan)
    assert done.code != 0
    assert done.calls == ["make setup", *calls]
    assert "everything passed" not in done.said


@pytest.mark.parametrize("breaks", ["setup", "check"])
def test_other_steps_are_not_tried_again(tmp_path: Path, breaks: str) -> None:
    done = run(tmp_path, "0", breaks=breaks)
    assert done.code != 0
    assert done.calls[-1] == f"make {breaks}"
