"""A flood of calls without a credential at the edge: every one is refused, and the ledger stays small."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.ledger.row import opened as opened_row
from tests.api_gateway.office import Office, opened
from tests.support.wait import eventually

CALLS = 150


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    edge = {"proxies": ["127.0.0.1"]}
    async with opened(tmp_path, api_gateway=edge) as office:
        yield office


async def knock(office: Office, source: str) -> int:
    headers = [("x-forwarded-for", source)]
    async with await office.http.send("GET", f"{office.edge.url}/v1/models", headers=headers) as reply:
        await reply.read(65_536)
        return reply.status


async def test_a_flood_leaves_two_rows_a_source_and_none_of_its_refusals_is_uncounted(office: Office) -> None:
    found = await asyncio.gather(
        *(knock(office, "203.0.113.9" if n % 2 else "203.0.113.7") for n in range(CALLS))
    )
    assert set(found) == {401}
    await office.edge.parts.account.strangers.stop()

    told = await eventually(lambda: counted(office), "the rows")
    half = CALLS // 2
    assert told == {"source:203.0.113.7": [1, half - 1], "source:203.0.113.9": [1, half - 1]}


async def counted(office: Office) -> dict[str, list[int]]:
    """For how many calls each row of a source stands, once all calls are in SQL."""
    told: dict[str, list[int]] = {}
    for writer in await office.store.writers():
        async for kept in office.store.rows(writer):
            row = opened_row(kept.body)
            if row.reason == "unauthenticated":
                told.setdefault(row.findings[0], []).append(row.times)
    return told if sum(map(sum, told.values())) == CALLS else {}
