"""What a process is told before it opens anything that it could not work with."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from llm_gateway.app import SERVICE
from shared.config import load
from shared.errors import Unavailable
from shared.parts import open_parts
from shared.redis_client import Redis
from shared.valkey import _program
from tests.support.stack import free_ports
from tests.support.wait import eventually


@contextlib.asynccontextmanager
async def cluster() -> AsyncIterator[str]:
    """The address of a Valkey in cluster mode."""
    port, bus = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="gs-") as directory:
        where = ["--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", ""]
        mode = ["--cluster-enabled", "yes", "--cluster-port", str(bus)]
        process = await asyncio.create_subprocess_exec(
            _program(), *where, *mode, stdout=asyncio.subprocess.DEVNULL
        )
        url = f"redis://127.0.0.1:{port}"

        async def answers() -> bool:
            with contextlib.suppress(Unavailable):
                await (await Redis.connect(url)).close()
                return True
            return False

        try:
            await eventually(answers, "Valkey in cluster mode")
            yield url
        finally:
            process.kill()
            await process.wait()


async def test_a_redis_in_cluster_mode_is_refused_at_the_start_with_what_to_do(tmp_path: Path) -> None:
    async with cluster() as url:
        path = tmp_path / "gatestack.yaml"
        path.write_text(yaml.safe_dump({"state": {"dir": str(tmp_path / "state"), "redis": url}}))
        loaded = load(path, SERVICE.name, SERVICE.section, SERVICE.problems, {})
        with pytest.raises(Unavailable, match="cluster mode"):
            async with open_parts(SERVICE.name, loaded):
                pass
