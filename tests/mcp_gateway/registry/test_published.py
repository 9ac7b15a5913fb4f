"""Which version of several is the latest."""

import random

import pytest

from mcp_gateway.registry.published import newest, order
from shared.catalog_entries import CatalogEntry, State


def entry(version: str, at: int = 0, state: State = "active") -> CatalogEntry:
    content = {"name": "a/b", "version": version}
    return CatalogEntry(
        kind="server", name="a/b", version=version, content=content, published_at=at, state=state
    )


def test_versions_come_in_the_order_of_semantic_versioning() -> None:
    told = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"]
    told += ["1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.9.0", "1.10.0", "v2.0.0+build"]
    mixed = random.Random(7).sample(told, len(told))
    assert sorted(mixed, key=lambda version: order(version, 0)) == told


def test_what_is_no_semantic_version_is_older_and_goes_by_time() -> None:
    assert newest([entry("spring", 2), entry("autumn", 9), entry("0.0.1", 1)]) == {"a/b": "0.0.1"}
    assert newest([entry("spring", 2), entry("autumn", 9)]) == {"a/b": "autumn"}


@pytest.mark.parametrize("turned", [False, True])
def test_a_deleted_version_is_the_latest_only_where_there_is_no_other(turned: bool) -> None:
    entries = [entry("2.0.0", state="deleted"), entry("1.0.0")]
    assert newest(reversed(entries) if turned else entries) == {"a/b": "1.0.0"}
    assert newest(entries[:1]) == {"a/b": "2.0.0"}
