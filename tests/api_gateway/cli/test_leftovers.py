"""One `gatestack up` a state directory, and what the next one waits for, with real locks held by real
processes.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api_gateway.cli.leftovers import Taken, alone, leftovers_gone
from tests.support.wait import eventually

_ALONE = """
import pathlib, sys
from api_gateway.cli.leftovers import alone
with alone(pathlib.Path(sys.argv[1])):
    print("here", flush=True)
    sys.stdin.read()
"""
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


def test_a_second_one_is_told_who_runs_there(tmp_path: Path) -> None:
    with alone(tmp_path / "state"):
        with pytest.raises(Taken) as refused, alone(tmp_path / "state"):
            pass
        assert refused.value.pid == str(os.getpid())
        with alone(tmp_path / "another"):
            pass
    with alone(tmp_path / "state"):
        pass


async def test_one_that_was_killed_holds_up_nobody(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _ALONE, str(tmp_path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"here\n"
        with pytest.raises(Taken) as refused, alone(tmp_path):
            pass
        assert refused.value.pid == str(process.pid)
    finally:
        process.kill()
        await process.communicate()
    with alone(tmp_path):
        assert (tmp_path / "up.lock").read_text() == f"{os.getpid()}\n"


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
    with alone(tmp_path / "file" / "state"):
        async with leftovers_gone(tmp_path / "file" / "state", asyncio.Event(), 30.0, print) as inherited:
            assert inherited == ()
