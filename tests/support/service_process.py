"""One service in a process of its own, as `python -m <service>` starts it."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tests.support.stack import START_SECONDS


class ServiceProcess(Struct, frozen=True):
    """`url` is where it listens, empty when it has ended instead."""

    process: asyncio.subprocess.Process
    url: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextlib.asynccontextmanager
async def service_process(
    service: str, directory: Path, config: Mapping[str, Any]
) -> AsyncIterator[ServiceProcess]:
    """Listens on a free port, with `config` (the sections of gatestack.yaml) in `directory`, and is told to
    stop at the end.
    """
    path = directory / "gatestack.yaml"
    path.write_bytes(msgspec.json.encode(config))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", service, "--config", str(path), "--bind", "127.0.0.1:0"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            line = await process.stdout.readline()
        yield ServiceProcess(process, line.decode().rpartition(" ")[2].strip())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
