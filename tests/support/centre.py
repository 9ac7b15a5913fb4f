"""A control plane that only governs: an edge in a process of its own, with its own Valkey and database, which
can be killed and started again at the same address.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from shared.config.load import SERVICES
from shared.http_client import HttpClient
from tests.support.answer import Answer
from tests.support.stack import START_SECONDS, configuration, free_ports
from tests.support.wait import eventually


class Centre:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        self.url = f"http://127.0.0.1:{self.ports['api_gateway']}"
        self.http = HttpClient()
        self._process: asyncio.subprocess.Process | None = None

    async def admin(self, method: str, path: str, body: object = None) -> Answer:
        """One call of its admin API, as the operator."""
        key = (self.directory / "state" / "operator.key").read_text().strip()
        headers = [("authorization", f"Bearer {key}"), ("content-type", "application/json")]
        payload = b"" if body is None else msgspec.json.encode(body)
        url = f"{self.url}/admin/api{path}"
        async with await self.http.send(method, url, headers=headers, body=payload) as reply:
            return await Answer.of(reply)

    async def key(self, sub: str, tenant: str, **more: Any) -> str:
        """A fresh key's secret."""
        made = await self.admin("POST", "/keys", {"sub": sub, "tenant": tenant, **more})
        assert made.status == 201, made.body
        return str(made.json["secret"])

    async def start(self) -> None:
        """Returns when it can be governed."""
        with (self.directory / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "api_gateway", "--config", str(self.directory / "gatestack.yaml")),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "GATESTACK_SUPERVISED": "1"},
            )
        await eventually(self._ready, f"the centre: {self.directory / 'log'}", seconds=START_SECONDS)

    async def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        await self.http.close()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    async def _ready(self) -> bool:
        with contextlib.suppress(Exception):
            return (await self.admin("GET", "/kills")).status == 200
        return False


@contextlib.asynccontextmanager
async def running_centre(directory: Path, **sections: Any) -> AsyncIterator[Centre]:
    directory.mkdir(parents=True)
    centre = Centre(directory)
    whole = configuration(directory, centre.ports, sections)
    (directory / "gatestack.yaml").write_text(yaml.safe_dump(whole))
    try:
        await centre.start()
        yield centre
    finally:
        await centre.stop()
