"""Processes are killed at the worst moment: no row whose `close` had returned is lost, none is doubled."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.background import cancelled
from shared.clock import Clock
from shared.errors import Unavailable
from shared.identity.signing import Signer
from shared.ledger.audit import verify
from shared.ledger.drain import Drain
from shared.ledger.journal import Journal
from shared.ledger.writer import Ledger
from shared.limits.limiter import Limiter
from shared.redis_client import Redis
from shared.store import EntryFilter, SpendQuery, Store, open_store
from shared.valkey import EmbeddedValkey
from tests.support.rows import caller, entry
from tests.support.wait import eventually

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = open_store(f"sqlite://{tmp_path}/gatestack.db")
    yield store
    await store.close()


async def kept(store: Store) -> list[str]:
    return [row.id for row in await store.entries(EntryFilter(tenant=None, limit=10**6))]


@contextlib.asynccontextmanager
async def writing(url: str, journal: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.shared.ledger.writing", url, str(journal)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def answered(process: asyncio.subprocess.Process, count: int) -> list[str]:
    """The next `count` calls that were answered; all that are left once the process is dead."""
    assert process.stdout is not None
    lines: list[str] = []
    while len(lines) < count and (line := await process.stdout.readline()).endswith(b"\n"):
        lines.append(line.decode().strip())
    return lines


async def test_a_writer_that_is_killed_under_load_loses_and_doubles_nothing(
    redis: Redis, valkey: EmbeddedValkey, store: Store, tmp_path: Path
) -> None:
    async with writing(valkey.url, tmp_path / "journal") as process:
        seen = await answered(process, 500)
        process.send_signal(signal.SIGKILL)
        seen += await answered(process, 10**6)
    await Drain(redis, store, Clock()).step()
    found = await kept(store)
    assert len(found) == len(set(found))
    assert set(seen) <= set(found)
    # At most the calls that were under way had a row already, and nobody who had seen the answer.
    assert len(found) - len(seen) <= 20
    report = await verify(store)
    assert (report.findings, report.rows) == ([], len(found) + report.checkpoints)
    (line,) = await store.spend(SpendQuery(tenant=None))
    assert (line.calls, line.cost_micros) == (len(found), len(found))


async def test_a_drain_that_is_stopped_again_and_again_doubles_nothing(
    redis: Redis, valkey: EmbeddedValkey, store: Store, tmp_path: Path
) -> None:
    async with writing(valkey.url, tmp_path / "journal") as process:
        seen: list[str] = []
        for _ in range(4):
            drain = asyncio.create_task(Drain(redis, store, Clock()).run())
            seen += await answered(process, 150)
            await cancelled(drain)
        process.send_signal(signal.SIGKILL)
        seen += await answered(process, 10**6)
    await Drain(redis, store, Clock()).step()
    found = await kept(store)
    assert len(found) == len(set(found))
    assert set(seen) <= set(found)
    assert (await verify(store)).findings == []


class Server:
    """A Valkey of the test's own, which it may kill."""

    def __init__(self, directory: Path) -> None:
        self.valkey = EmbeddedValkey()
        self._directory = directory

    async def start(self) -> Redis:
        await self.valkey.start(self._directory, fsync="everysec")
        return await Redis.connect(self.valkey.url)

    async def kill(self, redis: Redis) -> None:
        info = (await redis.execute("INFO", "server")).decode()
        os.kill(int(info.split("process_id:")[1].split()[0]), signal.SIGKILL)

    @contextlib.asynccontextmanager
    async def restarted(self, redis: Redis) -> AsyncIterator[None]:
        watching = asyncio.create_task(self.valkey.watch())
        try:
            await eventually(lambda: _answers(redis))
            yield
        finally:
            await cancelled(watching)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory(prefix="gs-") as directory:
        server = Server(Path(directory))
        yield server
        await server.valkey.stop()


def ledger_over(redis: Redis, journal: Journal) -> Ledger:
    limiter, signer = Limiter(redis, Clock()), Signer("llm_gateway")
    return Ledger(limiter, journal, signer, service="llm_gateway", clock=Clock())


async def test_redis_is_killed_under_load_and_comes_back(
    server: Server, store: Store, tmp_path: Path
) -> None:
    redis, journal = await server.start(), Journal(tmp_path / "journal")
    ledger = ledger_over(redis, journal)
    await server.kill(redis)
    calls = [entry(caller(tenant=f"t{number % 3}")) for number in range(300)]
    await asyncio.gather(*(ledger.close(call, None) for call in calls))
    assert journal.waiting > 0
    async with server.restarted(redis):
        calls += (later := [entry() for _ in range(100)])
        await asyncio.gather(*(ledger.close(call, None) for call in later))
        await ledger.tick()
        assert journal.waiting == 0
        await ledger.stop()
        await Drain(redis, store, Clock()).step()
    assert sorted(await kept(store)) == sorted(call.id for call in calls)
    report = await verify(store)
    assert (report.findings, report.notes, report.checkpoints) == ([], [], 1)
    await redis.close()


async def test_first_redis_and_then_the_writer_are_killed(
    server: Server, store: Store, tmp_path: Path
) -> None:
    redis = await server.start()
    async with writing(server.valkey.url, tmp_path / "journal") as process:
        seen = await answered(process, 200)
        await server.kill(redis)
        await eventually(lambda: any(path.stat().st_size for path in (tmp_path / "journal").glob("*.jsonl")))
        seen += await answered(process, 200)
        process.send_signal(signal.SIGKILL)
        seen += await answered(process, 10**6)
    async with server.restarted(redis):
        heir = ledger_over(redis, Journal(tmp_path / "journal"))
        await heir.tick()
        assert list((tmp_path / "journal").iterdir()) == []
        await heir.stop()
        await Drain(redis, store, Clock()).step()
    found = await kept(store)
    assert len(found) == len(set(found))
    assert set(seen) <= set(found)
    assert (await verify(store)).findings == []
    await redis.close()


async def _answers(redis: Redis) -> bool:
    try:
        await redis.execute("PING")
    except Unavailable:
        return False
    return True
