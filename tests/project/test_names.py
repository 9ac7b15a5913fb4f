"""A verb file is a stage, a noun file a thing, a folder an open set: names that say nothing are refused."""

import re

import pytest

from tests.project.tree import name_of, python_files

EMPTY_NAMES = frozenset(
    {
        *("util", "utils", "helper", "helpers", "common", "base", "misc", "stuff"),
        *("manager", "managers", "service", "services", "handler", "handlers"),
    }
)
# A second version of a thing replaces the first, and a protocol's version is called by its era.
VERSIONED = re.compile(r"_v\d+$|_(new|old|copy|final|tmp)$")


def _bad(name: str) -> bool:
    return name in EMPTY_NAMES or VERSIONED.search(name) is not None


def test_every_name_of_a_module_or_package_says_what_it_holds() -> None:
    bad = set()
    for path in python_files():
        parts = name_of(path).removesuffix(".py").split("/")
        if any(_bad(part.removeprefix("test_")) for part in parts):
            bad.add(name_of(path))
    assert bad == set()


@pytest.mark.parametrize("name", ["utils", "handler", "parse_v2", "router_old"])
def test_such_a_name_is_refused(name: str) -> None:
    assert _bad(name)


@pytest.mark.parametrize("name", ["authorize", "redis_client", "virtual_key", "serve"])
def test_such_a_name_is_fine(name: str) -> None:
    assert not _bad(name)
