"""Tool calls through the gateway against FastMCP's proxy in the same run: in its default mode, which opens an
upstream session for each request, and in its fastest, with one session for all.
"""

import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench import stack
from tests.bench.calls import TOKENS, checked
from tests.bench.load import load
from tests.bench.tools import begun, call, calls, two_eras

_REQUIREMENTS = Path(__file__).with_name("fastmcp.txt")
_PROGRAM = str(Path(__file__).with_name("fastmcp_proxy.py"))
_INSTALL_SECONDS = 300
# With more connections FastMCP's default mode answers nothing for seconds.
_CONNECTIONS, _SECONDS, _ROUNDS = 8, 4.0, 3
_MODES = {"default": "mcp.vs_fastmcp", "shared": "mcp.vs_fastmcp_shared"}


async def measure(directory: Path) -> dict[str, dict[str, Any]]:
    """Nothing where FastMCP cannot be had. `BENCH_FASTMCP` names a Python that has it."""
    directory = directory / "versus"
    directory.mkdir()
    python = os.environ.get("BENCH_FASTMCP") or _installed(directory)
    if not python:
        print("FastMCP cannot be installed here: the comparison is left out", flush=True)
        return {}
    signer = stack.write_jwks(directory)
    log = directory / "log"
    with contextlib.ExitStack() as processes:

        def start(name: str, command: list[str], core: int, python: str = sys.executable) -> stack.Running:
            return processes.enter_context(_started(name, command, core, log, python))

        upstream = start("upstream", ["-m", "tests.bench.upstream"], stack.OTHER_CORE)
        config = stack.write_config(directory, upstream.url)
        two_eras(config, upstream.url)
        state = start("state", ["-m", "tests.bench.state", str(directory / "state")], stack.OTHER_CORE)
        gateway = start("mcp_gateway", ["-m", "mcp_gateway", "--config", str(config)], stack.GATEWAY_CORE)
        await stack.publish_no_kills(signer, state.url)
        await stack.ready(gateway.url)
        ours = f"{gateway.url}/servers/session/mcp"
        [token] = stack.tokens(signer, "mcp_gateway", 1)
        own = await begun(ours, {"txn-token": token})
        found = {}
        for mode, name in _MODES.items():
            proxy = start(name, [_PROGRAM, upstream.url, mode], stack.GATEWAY_CORE, python)
            theirs = f"{proxy.url}/mcp"
            # Its sessions answer each id once: two calls under way must not share one.
            headers = await begun(theirs, {})
            plain = [call(theirs, headers, number) for number in range(1, TOKENS)]
            rates, ratios = [], []
            for _ in range(_ROUNDS):
                bare = await _rate(proxy.url, plain)
                rates.append(await _rate(gateway.url, calls(ours, own, signer)))
                ratios.append(rates[-1] / bare)
            found[name] = {
                "value": statistics.median(rates),
                "unit": "req/s",
                "ratio": statistics.median(ratios),
                "against": f"FastMCP's proxy, {mode} mode",
            }
    return found


async def _rate(url: str, requests: list[bytes]) -> float:
    return checked(await load(url, requests, connections=_CONNECTIONS, seconds=_SECONDS)).per_second


@contextlib.contextmanager
def _started(name: str, command: list[str], core: int, log: Path, python: str) -> Iterator[stack.Running]:
    """As `stack.started`, with another Python."""
    program = [*command] if python == sys.executable else ["-c", _EXEC, python, *command]
    with stack.started(name, program, core, log) as running:
        yield running


_EXEC = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"


def _installed(directory: Path) -> str:
    """A Python with FastMCP; empty where there is no way to get one."""
    home = directory / "fastmcp"
    python = str(home / "bin" / "python")
    install = [python, "-m", "pip", "install", "-q", "-r", str(_REQUIREMENTS)]
    try:
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, timeout=_INSTALL_SECONDS)
        subprocess.run(install, check=True, timeout=_INSTALL_SECONDS, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return ""
    return python
