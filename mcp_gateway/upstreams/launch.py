"""How a child process is started: through the launcher, with the limits and the user that its configuration
names.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import msgspec

from mcp_gateway.config import Stdio
from mcp_gateway.upstreams import launcher
from shared.errors import UpstreamUnreachable

_LAUNCHER = str(Path(launcher.__file__).resolve())
# An interpreter without its extras: it starts in some tens of milliseconds.
_INTERPRETER = (sys.executable, "-I", "-S", _LAUNCHER)
_START_SECONDS = 20.0
_LONGEST_COMPLAINT = 1_000


async def launched(name: str, command: Stdio, base: Path, *, line_cap: int) -> Process:
    """The process, which has become its program. Raises UpstreamUnreachable when it could not."""
    user = _user(name, command.user)
    environment = _environment(command, user)
    cwd = (base / command.cwd).resolve()
    program = _program(command.command, environment, base)
    if program is None or not cwd.is_dir():
        what = "its program is not there" if program is None else "its working directory is not there"
        cause = f"{command.command!r} in {cwd}"
        raise UpstreamUnreachable(f"the MCP server {name!r} cannot be started: {what}", cause=cause)
    plan = {
        "program": program,
        "arguments": command.args,
        "environment": list(environment),
        "limits": command.limits,
        "namespaces": command.namespaces,
        "user": [user.pw_uid, user.pw_gid] if user is not None else [],
        "parent": os.getpid(),
    }
    return await _started(name, plan, environment, cwd, line_cap)


async def _started(
    name: str, plan: dict[str, object], environment: dict[str, str], cwd: Path, line_cap: int
) -> Process:
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *_INTERPRETER,
            msgspec.json.encode(plan).decode(),
            str(writing),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=cwd,
            env=environment,
            limit=line_cap,
            start_new_session=True,
            pass_fds=(writing,),
        )
    except BaseException as error:
        os.close(reading)
        if not isinstance(error, OSError | ValueError):
            raise
        raise UpstreamUnreachable(f"the MCP server {name!r} cannot be started", cause=error) from error
    finally:
        os.close(writing)
    try:
        complaint = await _heard(reading)
    except BaseException:
        await _ended(process)
        raise
    if complaint:
        await _ended(process)
        raise UpstreamUnreachable(f"the MCP server {name!r} cannot be started: {complaint}")
    return process


async def _heard(reading: int) -> str:
    """What the launcher complains of; nothing once it has become the program."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", buffering=0)
    )
    try:
        async with asyncio.timeout(_START_SECONDS):
            return (await reader.read(_LONGEST_COMPLAINT)).decode("utf-8", "replace")
    except TimeoutError:
        return "it took too long to become its program"
    finally:
        transport.close()


async def _ended(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # Nobody else has read from it: its pipes are closed with it.
    await process.communicate()


def _user(name: str, user: str) -> pwd.struct_passwd | None:
    if not user:
        return None
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        raise UpstreamUnreachable(
            f"the MCP server {name!r} cannot be started: its user is not there"
        ) from None
    if os.geteuid() not in (0, found.pw_uid):
        raise UpstreamUnreachable(
            f"the MCP server {name!r} cannot be started: only root can start it as its user"
        )
    return found if os.geteuid() == 0 else None


def _environment(command: Stdio, user: pwd.struct_passwd | None) -> dict[str, str]:
    # The only variables of ours that a child sees are those that its configuration names.
    ours = os.environ  # noqa: TID251
    inherited = {name: ours[name] for name in command.inherit if name in ours}
    if user is not None and "HOME" in inherited:
        inherited["HOME"] = user.pw_dir
    secrets = {name: secret.reveal() for name, secret in command.secret_env.items()}
    return inherited | command.env | secrets


def _program(command: str, environment: dict[str, str], base: Path) -> str | None:
    if "/" in command:
        return shutil.which(str((base / command).absolute()))
    return shutil.which(command, path=environment.get("PATH", os.defpath))
