"""One child process that speaks in lines: started without a shell in its own process group, never left
behind.
"""

import asyncio
import contextlib
import logging
import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path

from mcp_gateway.config import Stdio
from mcp_gateway.upstreams.launch import launched
from shared.errors import UpstreamBroken

_LOG = logging.getLogger("gatestack")  # noqa: TID251  what a child says on its standard error is nobody's request
_PATIENCE_SECONDS = 2.0
_STDERR_LOGGED = 65_536


class Child:
    """Made by `start`. Its lines end when it does; `stop` ends it, its group, and waits until it is gone."""

    def __init__(self, name: str, process: Process) -> None:
        self._name = name
        self._process = process
        self._writing = asyncio.Lock()
        self._errors = asyncio.create_task(self._drain_errors())

    @classmethod
    async def start(cls, name: str, command: Stdio, base: Path, *, line_cap: int) -> "Child":
        """Raises UpstreamUnreachable when the program cannot be started."""
        return cls(name, await launched(name, command, base, line_cap=line_cap))

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        return self._process.pid

    async def write(self, line: bytes) -> None:
        """Raises UpstreamBroken when it does not listen any more."""
        assert self._process.stdin is not None
        try:
            # One line at a time: a child that does not read holds up the writers, not our memory.
            async with self._writing:
                self._process.stdin.write(line + b"\n")
                await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionError, RuntimeError) as error:
            raise UpstreamBroken(
                f"the MCP server {self._name!r} does not listen any more", cause=error
            ) from error

    async def lines(self) -> AsyncIterator[bytes]:
        """What it says, line by line, until it ends. Raises UpstreamBroken when a line outgrows the cap."""
        assert self._process.stdout is not None
        while True:
            try:
                line = await self._process.stdout.readline()
            except ValueError as error:
                raise UpstreamBroken(
                    f"the MCP server {self._name!r} said too much at once", cause=error
                ) from error
            if not line:
                return
            yield line

    async def stop(self) -> str:
        """Ends the child and everything in its group; how it ended, in words."""
        try:
            await self._ask_to_end()
        finally:
            # Also after it has ended by itself: what it started is in its group.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            code = await self._process.wait()
            self._errors.cancel()
            await asyncio.gather(self._errors, return_exceptions=True)
        return f"exit code {code}" if code >= 0 else f"signal {-code}"

    async def _ask_to_end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        if await self._ended():
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGTERM)
        await self._ended()

    async def _ended(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._process.wait()
        return not self.alive

    async def _drain_errors(self) -> None:
        """Reads its standard error away, so that it never blocks on it; the beginning goes to the debug
        log.
        """
        assert self._process.stderr is not None
        left = _STDERR_LOGGED
        while chunk := await self._process.stderr.read(4096):
            if left > 0:
                _LOG.debug("%s: %s", self._name, chunk[:left].decode("utf-8", "replace").rstrip())
                left -= len(chunk)
