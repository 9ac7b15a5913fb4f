"""One world a test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.http_client import HttpClient
from tests.shared.identity.provided import view
from tests.shared.identity.world import World

__all__ = ["view", "world"]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    http = HttpClient()
    world = World(tmp_path, http)
    yield world
    await world.verifier.close()
    await http.close()
