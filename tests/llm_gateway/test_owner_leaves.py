"""Files and batches whose owner leaves while a provider takes them: their owner has them all the same."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.account import Flight
from shared.ledger.entry import Outcome
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.test_batches import wish
from tests.llm_gateway.uploads import MODELS, POLICY, line, send, upload
from tests.support.endpoint_provider import FileKeeper
from tests.support.providers import Call
from tests.support.wait import SECONDS


class Slow(FileKeeper):
    """Takes what it gets, and is silent about it until it is told to `go` on."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.asked = asyncio.Event()

    async def serve(self, call: Call) -> None:
        self.asked.set()
        await self.go.wait()
        await super().serve(call)


@pytest.fixture
async def slow() -> AsyncIterator[Slow]:
    async with Slow() as keeper:
        yield keeper


@pytest.fixture
def noticed(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set once the gateway knows that a client has left."""
    found, watch = asyncio.Event(), Flight._until_client_leaves

    async def watching(flight: Flight) -> None:
        await watch(flight)
        found.set()

    monkeypatch.setattr(Flight, "_until_client_leaves", watching)
    return found


@pytest.mark.parametrize("what", ["files", "batches"])
async def test_it_is_theirs_all_the_same(opened: Open, slow: Slow, noticed: asyncio.Event, what: str) -> None:
    async with opened(slow, models=MODELS, policy=POLICY) as gateway:
        known = 0
        if what == "batches":
            slow.go.set()
            file = (await send(gateway, upload(line()))).json["id"]
            known = 1
            slow.go.clear()
            slow.asked.clear()
            asking = asyncio.create_task(gateway.hear(wish(file), path="/v1/batches"))
        else:
            asking = asyncio.create_task(send(gateway, upload(line())))
        await asyncio.wait_for(slow.asked.wait(), SECONDS)
        asking.cancel()
        await asyncio.wait_for(noticed.wait(), SECONDS)
        slow.go.set()
        row = (await gateway.service.rows(known + 1))[known]
        [theirs] = (await gateway.get(f"/v1/{what}")).json["data"]
    assert (row.outcome, row.task) == (Outcome.COMPLETED, theirs["id"])
