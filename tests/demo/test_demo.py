"""The whole demo, as `make demo` runs it: a real model, real tools, real agents, one question."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from demo.settings import ROOT
from tests.support.wait import eventually


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_one_question_walks_through_the_whole_stack_and_leaves_nothing_running(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "demo"),
        cwd=ROOT,
        env={**environ, "DEMO_ONCE": "1", "DEMO_STATE": str(tmp_path / "state")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    assert "The spans that OpenTelemetry wrote give exactly this tree." in output
    for line in (
        "agent_gateway  user:alice invoke agent:planner",
        "agent_gateway  agent:planner invoke agent:researcher",
        "agent:researcher invoke tool:git/git_log",
        "agent:planner invoke tool:time/get_current_time",
        "agent:researcher invoke model:demo",
    ):
        assert line in output
    await eventually(lambda: not _running_with(str(tmp_path)), "nothing runs any more")


def _running_with(text: str) -> list[str]:
    """The command lines and environments of processes that hold `text`: whatever of the demo still runs."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if text.encode() in told:
                found.append(told.replace(b"\0", b" ").decode(errors="replace")[:100])
    return found
