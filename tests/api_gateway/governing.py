"""What the tests of the policy pages stand on."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.ledger.row import Row
from shared.ledger.row import opened as opened_row
from tests.api_gateway.office import Office, opened
from tests.support.postgres import Postgres

RULES = [
    {"id": "staff", "sub": "role:staff", "dom": "acme", "obj": "catalog:customers", "act": "invoke"},
    {"id": "agents", "sub": "agent:*", "dom": "acme", "obj": "tool:crm/*", "act": "invoke"},
    {"id": "hands", "sub": "user:*", "dom": "acme", "obj": "agent:*", "act": "invoke"},
    {"id": "models", "sub": "*", "dom": "acme", "obj": "model:*", "act": "invoke", "cond": "depth <= 3"},
    {"id": "looks", "sub": "user:admin", "dom": "*", "obj": "admin:policy", "act": "*"},
    {"id": "globex", "sub": "*", "dom": "globex", "obj": "model:*", "act": "invoke"},
]


POLICY = {
    "rules": RULES,
    "roles": [{"member": "team:support", "role": "role:staff", "dom": "acme"}],
    "groups": [{"resource": "tool:crm/*", "catalog": "catalog:customers"}],
}


@pytest.fixture(params=["sqlite", "postgresql"])
async def sql(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return ""
    server: Postgres = request.getfixturevalue("postgres")
    return await server.database()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with opened(tmp_path, POLICY) as office:
        yield office


@pytest.fixture
async def office_on(tmp_path: Path, sql: str) -> AsyncIterator[Office]:
    async with opened(tmp_path, POLICY, sql) as office:
        yield office


async def current(office: Office) -> tuple[dict[str, Any], str]:
    answer = await office.ask("GET", "/policy")
    assert answer.status == 200, answer.body
    assert answer.headers["etag"] == answer.body["etag"]
    return answer.body["policy"], answer.body["etag"]


async def _rows(office: Office) -> AsyncIterator[Row]:
    for writer in await office.store.writers():
        async for kept in office.store.rows(writer):
            yield opened_row(kept.body)
