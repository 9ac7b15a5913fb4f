"""An empty database of each kind: what asks for `url` or `store` runs once on each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.store import Store, open_store
from tests.support.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/state/gatestack.db"
    server: Postgres = request.getfixturevalue("postgres")
    return await server.database()


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened_store = open_store(url)
    yield opened_store
    await opened_store.close()
