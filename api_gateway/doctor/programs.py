"""Tool servers that are run as child processes: are their programs and folders on this machine?"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from api_gateway.doctor.finding import Case, Finding, Level, worst

# As in the section `mcp_gateway`, which is another service's.
_STDIO = "stdio"


async def programs(case: Case) -> list[Finding]:
    """What mcp_gateway would start here. On a set-up of several machines it may be started on another."""
    apart = case.loaded.shared.state.redis != "embedded"
    level: Level = "warning" if apart else "error"
    where = " (on the machine of mcp_gateway, where this is not it)" if apart else ""
    servers = list(_children(case.whole))
    found = [
        Finding(level=level, check="programs", what=what, do=do + where)
        for path, transport in servers
        for what, do in (*_program(path, transport, case), *_folder(path, transport, case))
    ]
    well = (
        f"those of {len(servers)} tool servers are there" if servers else "no tool server is a child process"
    )
    return worst(found, "programs", well)


def _children(whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Their transports, and where they stand. What is misspelt, the configuration's own check tells."""
    servers = _table(_table(whole.get("mcp_gateway")).get("servers"))
    for name, server in servers.items():
        transport = _table(_table(server).get("transport"))
        if transport.get("type") == _STDIO and isinstance(transport.get("command"), str):
            yield f"mcp_gateway.servers.{name}.transport", transport


def _program(path: str, transport: dict[str, Any], case: Case) -> Iterator[tuple[str, str]]:
    command = transport["command"]
    if "/" in command:
        file = (case.loaded.base / command).absolute()
        if not file.is_file():
            yield f"{path}.command: there is no file {file}", "install it, or put the path right"
        elif not os.access(file, os.X_OK):
            yield f"{path}.command: {file} cannot be executed", f"chmod +x {file}"
    elif shutil.which(command, path=_search(transport)) is None:
        what = f"{path}.command: there is no program {command!r} in its PATH"
        yield what, "install it, or name it with its whole path"


def _folder(path: str, transport: dict[str, Any], case: Case) -> Iterator[tuple[str, str]]:
    folder: Path = case.loaded.path(str(transport.get("cwd", ".")))
    if not folder.is_dir():
        yield f"{path}.cwd: there is no folder {folder}", "make it, or put the path right"


def _search(transport: dict[str, Any]) -> str:
    """The PATH that the child gets: one of its own, or ours where it inherits that."""
    own = _table(transport.get("env")) | _table(transport.get("secret_env"))
    ours = os.environ.get("PATH", "")  # noqa: TID251  what a child may inherit, and no setting
    inherited = ours if "PATH" in transport.get("inherit", ("PATH",)) else ""
    return str(own.get("PATH") or inherited or os.defpath)


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
