"""Children that come and go, and children that keep dying: what they leave behind is nothing."""

import asyncio
import gc
import os
import sys
from pathlib import Path

import psutil
import pytest
from msgspec import Raw

from mcp_gateway.config import Stdio
from mcp_gateway.transports import ChildLimits
from mcp_gateway.upstreams.child import Child
from mcp_gateway.upstreams.stdio import StdioUpstream
from mcp_gateway.upstreams.upstream import Call
from shared.errors import UpstreamBroken, UpstreamUnreachable
from tests.support import mcp_child
from tests.support.clock import FakeClock
from tests.support.wait import eventually

CYCLES, CRASHES = 100, 15
MOST_GROWN = 8 * 2**20
CAT = Stdio(command="cat", limits=ChildLimits(memory_mb=64))
LEAVES = Stdio(command=sys.executable, args=["-S", str(Path(mcp_child.__file__))], era="session")
LEAVE = Call(method="tools/call", params={"name": Raw(b'"leave"'), "arguments": Raw(b"{}")})


class Held:
    """What this process holds right now."""

    def __init__(self) -> None:
        gc.collect()
        self.files = sorted(os.listdir("/proc/self/fd"))
        # Without their own: those of the databases that other tests have left running come and go.
        self.children = psutil.Process().children()
        self.tasks = len(asyncio.all_tasks())
        self.memory = psutil.Process().memory_info().rss

    def same(self, before: "Held") -> bool:
        return (len(self.files), self.children, self.tasks) == (
            len(before.files),
            before.children,
            before.tasks,
        )


async def cycle(transport: Stdio) -> None:
    child = await Child.start("c", transport, Path("/"), line_cap=2**16)
    await child.write(b"hello")
    async for line in child.lines():
        assert line == b"hello\n"
        break
    assert await child.stop() == "exit code 0"


async def test_a_hundred_starts_and_stops_leave_no_process_no_file_and_no_memory() -> None:
    for _ in range(10):
        await cycle(CAT)
    before = Held()
    for _ in range(CYCLES // 4):
        await asyncio.gather(*(cycle(CAT) for _ in range(4)))
    await eventually(lambda: Held().same(before), "everything is as it was")
    assert Held().memory - before.memory < MOST_GROWN


async def test_starts_that_fail_or_are_given_up_leave_nothing_either(tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"\x7fELF")
    (tmp_path / "broken").chmod(0o755)
    before = Held()
    for _ in range(5):
        with pytest.raises(UpstreamUnreachable, match="Exec format"):
            await cycle(Stdio(command=str(tmp_path / "broken")))
        start = asyncio.create_task(Child.start("c", CAT, Path("/"), line_cap=2**16))
        await eventually(lambda: psutil.Process().children() != before.children)
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
    await eventually(lambda: Held().same(before), "everything is as it was")


async def test_a_child_that_keeps_dying_leaves_nothing() -> None:
    clock, first = FakeClock(), Held()
    upstream = StdioUpstream("c", LEAVES, Path("/"), clock, result_cap=2**20, changed=lambda *_: None)

    async def crash() -> None:
        clock.advance(31)
        with pytest.raises(UpstreamBroken, match="exit code 3"):
            await anext(upstream.call(LEAVE))

    for _ in range(5):
        await crash()
    before = Held()
    for _ in range(CRASHES):
        await crash()
    await eventually(lambda: Held().same(before), "everything is as it was")
    assert Held().memory - before.memory < MOST_GROWN
    await upstream.close()
    await eventually(lambda: Held().same(first), "nothing of it is left")
