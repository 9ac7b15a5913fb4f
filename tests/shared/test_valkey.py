"""The embedded server as a process: owned by one, adopted by others, back after a kill with all it knew."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.background import cancelled
from shared.errors import Unavailable
from shared.redis_client import Redis
from shared.valkey import EmbeddedValkey, Fsync
from tests.support.wait import SECONDS, eventually

_ROOT = Path(__file__).parents[2]
_OWNER = """
import asyncio, sys
from pathlib import Path
from shared.valkey import EmbeddedValkey

async def main():
    valkey = EmbeddedValkey()
    await valkey.start(Path(sys.argv[1]))
    print("owned", valkey.owned, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def started(directory: Path, fsync: Fsync = "everysec") -> AsyncIterator[EmbeddedValkey]:
    valkey = EmbeddedValkey()
    await valkey.start(directory, fsync=fsync)
    try:
        yield valkey
    finally:
        await valkey.stop()


@contextlib.asynccontextmanager
async def watched(valkey: EmbeddedValkey) -> AsyncIterator[None]:
    task = asyncio.create_task(valkey.watch())
    try:
        yield
    finally:
        await cancelled(task)


async def pid_of(redis: Redis) -> int:
    lines = (await redis.execute("INFO", "server")).decode().splitlines()
    return next(int(line.partition(":")[2]) for line in lines if line.startswith("process_id:"))


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def ask(url: str, *command: str) -> object:
    redis = await Redis.connect(url)
    try:
        return await redis.execute(*command)
    finally:
        await redis.close()


async def test_it_keeps_its_data_over_a_stop_and_leaves_no_process(tmp_path: Path) -> None:
    async with started(tmp_path) as valkey:
        redis = await Redis.connect(valkey.url)
        pid = await pid_of(redis)
        await redis.execute("SET", "k", "v")
        await redis.close()
    assert not runs(pid)
    async with started(tmp_path) as valkey:
        assert await ask(valkey.url, "GET", "k") == b"v"


async def test_only_the_user_may_reach_it(tmp_path: Path) -> None:
    async with started(tmp_path):
        assert (tmp_path / "valkey.sock").stat().st_mode & 0o077 == 0
        assert (tmp_path / "valkey").stat().st_mode & 0o077 == 0


async def test_a_path_with_odd_characters_is_fine(tmp_path: Path) -> None:
    async with started(tmp_path / 'a "b" %41?c') as valkey:
        assert await ask(valkey.url, "PING") == b"PONG"


async def test_a_second_one_adopts_the_server_and_leaves_it_running(tmp_path: Path) -> None:
    async with started(tmp_path) as first:
        async with started(tmp_path) as second:
            assert (first.owned, second.owned, first.url == second.url) == (True, False, True)
        assert await ask(first.url, "PING") == b"PONG"


async def test_two_that_start_at_once_end_up_with_one_server(tmp_path: Path) -> None:
    both = EmbeddedValkey(), EmbeddedValkey()
    await asyncio.gather(*(valkey.start(tmp_path) for valkey in both))
    assert sorted(valkey.owned for valkey in both) == [False, True]
    for valkey in sorted(both, key=lambda valkey: valkey.owned):
        await valkey.stop()


@pytest.mark.parametrize("fsync", ["always", "everysec"])
async def test_a_killed_server_is_started_again_with_every_write_it_answered(
    tmp_path: Path, fsync: Fsync
) -> None:
    async with started(tmp_path, fsync) as valkey, watched(valkey):
        redis = await Redis.connect(valkey.url)
        pid = await pid_of(redis)
        answered = 0

        async def write() -> None:
            nonlocal answered
            with contextlib.suppress(Unavailable):
                while True:
                    answered = max(answered, await redis.execute("INCR", "n"))

        writers = [asyncio.create_task(write()) for _ in range(8)]
        await eventually(lambda: answered > 500, "writes are under way")
        os.kill(pid, signal.SIGKILL)
        await asyncio.gather(*writers)

        async def back() -> int:
            with contextlib.suppress(Unavailable):
                return int(await redis.execute("GET", "n"))
            return 0

        # What was written but not yet answered may be there too, at most one for each writer.
        kept = await eventually(back, "the server is back")
        assert answered <= kept <= answered + len(writers)
        assert await pid_of(redis) != pid
        await redis.close()


async def test_an_owner_that_was_killed_is_succeeded(tmp_path: Path) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _OWNER, str(tmp_path), cwd=_ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    assert await asyncio.wait_for(owner.stdout.readline(), SECONDS) == b"owned True\n"
    async with started(tmp_path) as heir, watched(heir):
        assert not heir.owned
        redis = await Redis.connect(heir.url)
        pid = await pid_of(redis)
        owner.kill()
        await owner.wait()
        await eventually(lambda: heir.owned, "the heir owns it")
        assert await pid_of(redis) == pid
        await redis.close()
    await eventually(lambda: not runs(pid), "the heir has stopped it")


async def test_a_server_ends_when_everybody_who_used_it_was_killed(tmp_path: Path) -> None:
    users = []
    for said in (b"owned True\n", b"owned False\n"):
        user = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _OWNER, str(tmp_path), cwd=_ROOT, stdout=asyncio.subprocess.PIPE
        )
        assert user.stdout is not None
        assert await asyncio.wait_for(user.stdout.readline(), SECONDS) == said
        users.append(user)
    redis = await Redis.connect(f"unix://{tmp_path}/valkey.sock")
    pid = await pid_of(redis)
    for user in users:
        assert await redis.execute("INCR", "n") > 0
        user.kill()
        await user.wait()
    await eventually(lambda: not runs(pid), "the server has ended")
    await redis.close()
    async with started(tmp_path) as valkey:
        assert await ask(valkey.url, "GET", "n") == b"2"


async def test_a_path_too_long_for_a_socket_gets_a_short_one_elsewhere(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 120)
    async with started(directory) as first, started(directory) as second:
        place = Path((directory / "valkey.sock.path").read_text())
        assert first.url == second.url == f"unix://{place}"
        assert await ask(second.url, "PING") == b"PONG"
    assert not place.parent.exists()


async def test_a_server_that_cannot_start_is_told_with_its_log(tmp_path: Path) -> None:
    broken = tmp_path / "valkey" / "appendonlydir"
    broken.mkdir(parents=True)
    (broken / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(Unavailable, match=r"valkey\.log"):
        await EmbeddedValkey().start(tmp_path)
