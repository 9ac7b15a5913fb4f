"""What a child process may take, who it is, and what of the system it has for itself."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway
from tests.support import mcp_greedy
from tests.support.wait import eventually

PROGRAM = str(Path(mcp_greedy.__file__))
PATH = "/servers/g/mcp"
# One that anybody may run: that of the tests may lie in somebody's home.
PYTHON = "/usr/bin/python3"
_NOBODY = 65534
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not Path(PYTHON).exists(), reason="only root may give a child another user"
)


def other_user(**more: Any) -> dict[str, Any]:
    """A child that is nobody: what it runs stands in its arguments, because it may read no file of ours."""
    args = ["-c", Path(PROGRAM).read_text()]
    return {"user": "nobody", "command": PYTHON, "args": args, "cwd": "/"} | more


def section(**transport: Any) -> dict[str, Any]:
    return {"g": {"transport": {"type": "stdio", "command": sys.executable, "args": [PROGRAM], **transport}}}


async def said(gateway: Gateway, tool: str, **arguments: Any) -> str:
    heard = await gateway.call(tool, arguments, path=PATH)
    assert "result" in heard.json, heard.body
    return heard.text


async def test_memory_files_and_cores_are_limited_and_the_child_lives_on(opened: Open) -> None:
    limits = {"memory_mb": 200, "open_files": 30}
    async with opened(section(limits=limits)) as gateway:
        assert await said(gateway, "take", megabytes=50) == "fine"
        assert await said(gateway, "take", megabytes=400) == "MemoryError"
        assert await said(gateway, "open", files=20) == "fine"
        assert await said(gateway, "open", files=100) == "OSError"
        assert await said(gateway, "core") == "0"


async def test_a_child_that_has_used_up_its_time_is_ended_and_started_again(opened: Open) -> None:
    async with opened(section(limits={"cpu_seconds": 1})) as gateway:
        first = await said(gateway, "pid")
        heard = await gateway.call("burn", path=PATH)
        assert "ended (signal" in heard.error["message"]
        assert await said(gateway, "pid") != first


@needs_root
async def test_a_user_of_its_own_and_no_way_back(opened: Open) -> None:
    # The databases of other tests are nobody's too.
    limits = {"processes": _processes_of(_NOBODY) + 50}
    async with opened(section(**other_user(limits=limits))) as gateway:
        assert (await said(gateway, "who")).split() == ["65534", "65534", "[]", "1"]
        assert await said(gateway, "become_root") == "PermissionError"
        assert await said(gateway, "fork", processes=200) == "BlockingIOError"


def _processes_of(user: int) -> int:
    return sum(each.info["uids"].real == user for each in psutil.process_iter(["uids"]))


async def test_a_user_that_is_not_there_starts_nothing(opened: Open) -> None:
    async with opened(section(user="no-such-user")) as gateway:
        assert "its user is not there" in (await gateway.call("pid", path=PATH)).error["message"]


@pytest.mark.parametrize("other", [False, pytest.param(True, marks=needs_root)])
async def test_a_namespace_of_its_own_has_no_network_and_another_tmp_or_says_that_it_cannot(
    opened: Open, other: bool
) -> None:
    with tempfile.NamedTemporaryFile(dir="/tmp"):
        own = {"namespaces": ["network", "mount", "ipc"]} | (other_user() if other else {})
        async with opened(section(**own)) as gateway:
            heard = await gateway.call("around", path=PATH)
            if "error" in heard.json:
                # A checkout below /tmp is not to be seen from a /tmp of one's own.
                hidden = Path(sys.executable).is_relative_to("/tmp")
                assert ("its program: " if hidden else "its namespaces: ") in heard.error["message"]
            else:
                assert heard.text == "['lo'] []"


async def test_a_program_that_cannot_be_run_says_so_and_nothing_of_where_it_is(
    opened: Open, tmp_path: Path
) -> None:
    (tmp_path / "broken").write_bytes(b"\x7fELFnot really")
    (tmp_path / "broken").chmod(0o755)
    async with opened(section(command=str(tmp_path / "broken"))) as gateway:
        message = (await gateway.call("pid", path=PATH)).error["message"]
        assert "its program: Exec format error" in message
        assert str(tmp_path) not in message


async def test_a_child_has_no_file_of_ours_but_its_pipes(opened: Open) -> None:
    async with opened(section()) as gateway:
        assert await said(gateway, "files") == "['0', '1', '2']"
        [child] = [each for each in psutil.Process().children() if PROGRAM in each.cmdline()]
        assert child.cmdline()[1:] == [PROGRAM]
    await eventually(lambda: not child.is_running())
