"""What the next `gatestack up` waits for, with real locks held by real processes."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from api_gateway.cli.leftovers import leftovers_gone
from tests.support.wait import eventually

_HOLD = "import sys; print('here', flush=True); sys.stdin.read()"


@contextlib.asynccontextmanager
async def service(inherited: tuple[int, ...]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that holds what it has inherited until its input closes."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-S", "-c", _HOLD),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        pass_fds=inherited,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"here\n"
    try:
        yield process
    finally:
        await process.communicate(b"")


async def test_services_that_outlive_theirs_are_waited_for(tmp_path: Path) -> None:
    said: list[str] = []
    stop = asyncio.Event()

    async def begin() -> int:
        async with leftovers_gone(tmp_path / "state", stop, 30.0, said.append) as inherited:
            return len(inherited)

    async with contextlib.AsyncExitStack() as first:
        inherited = await first.enter_async_context(
            leftovers_gone(tmp_path / "state", stop, 30.0, said.append)
        )
        async with service(inherited):
            await first.aclose()  # as the system does when it is killed
            second = asyncio.create_task(begin())
            await eventually(lambda: said, "it says what it waits for")
            assert not second.done()
    assert await second == 1
    assert said == ["waiting for the services of a `gatestack up` that was killed: they stop within 30 s"]


async def test_one_that_lives_is_not_waited_for(tmp_path: Path) -> None:
    said: list[str] = []
    stop = asyncio.Event()
    async with (
        leftovers_gone(tmp_path, stop, 30.0, said.append) as inherited,
        service(inherited),
        leftovers_gone(tmp_path, stop, 30.0, said.append) as more,
    ):
        assert more == ()
    assert said == []


async def test_it_does_not_wait_for_ever_nor_longer_than_somebody_wants(tmp_path: Path) -> None:
    said: list[str] = []
    stop = asyncio.Event()
    first = leftovers_gone(tmp_path, stop, 30.0, said.append)
    async with service(await first.__aenter__()):
        await first.__aexit__(None, None, None)
        async with leftovers_gone(tmp_path, stop, 0.0, said.append):
            assert said[1:] == ["they still run"]
        stop.set()
        async with leftovers_gone(tmp_path, stop, 30.0, said.append):
            assert len(said) == 3


async def test_a_place_where_nothing_can_be_written_is_none_to_wait_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with leftovers_gone(tmp_path / "file" / "state", asyncio.Event(), 30.0, print) as inherited:
        assert inherited == ()
