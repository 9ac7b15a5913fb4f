"""`gatestack up` where it cannot do what it was asked."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from api_gateway.cli.leftovers import alone
from shared import server
from shared.config.load import SERVICES
from tests.support.stack import START_SECONDS, Stack, configuration, free_ports

pytestmark = pytest.mark.slow


async def _refused(stack: Stack, sections: dict[str, Any]) -> tuple[str, str]:
    """What a `gatestack up` says that cannot do what it was asked, and ends with exit code 2."""
    stack.config.write_text(yaml.safe_dump(sections))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api_gateway.cli", "up", "--config", str(stack.config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(START_SECONDS):
        out, err = (told.decode() for told in await process.communicate())
    assert process.returncode == 2, out + err
    return out, err


async def test_a_second_one_on_the_same_state_is_refused_and_starts_nothing(tmp_path: Path) -> None:
    ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    stack = Stack(tmp_path, ports)
    with alone(tmp_path / "state"):
        _, err = await _refused(stack, configuration(tmp_path, ports, {}))
    assert err == (
        f"gatestack: another `gatestack up` (process {os.getpid()}) runs with the state in {tmp_path}/state: "
        f"stop that one, or give {stack.config} a state.dir of its own\n"
    )
    assert not (tmp_path / "state" / "valkey").exists()
    assert stack.left_behind() == []


async def test_a_port_that_somebody_else_has_ends_it_with_the_address_and_what_to_do(tmp_path: Path) -> None:
    with contextlib.closing(server.bind("127.0.0.1:0")) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        stack = Stack(tmp_path, ports)
        sections = configuration(tmp_path, ports, {"mcp_gateway": {"bind": address}})
        out, err = await _refused(stack, sections)
    mend = f"end what has it, or put mcp_gateway.bind right in {stack.config}"
    assert err.count(f"mcp_gateway: cannot listen on {address}: Address already in use: {mend}") == 1
    assert "gatestack: stopping: mcp_gateway cannot start" in out
    assert "starting it again" not in out
    assert "waiting for" not in out
    assert stack.left_behind() == []
