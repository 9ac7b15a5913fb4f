"""Resident memory of each service at rest, in MiB, each as it would run alone."""

import contextlib
from pathlib import Path
from typing import Any

from tests.bench import stack


async def measure(directory: Path) -> dict[str, dict[str, Any]]:
    directory = directory / "memory"
    directory.mkdir()
    stack.write_jwks(directory)
    config = stack.write_config(directory, "http://127.0.0.1:9")
    log = directory / "log"
    with contextlib.ExitStack() as processes:
        processes.enter_context(
            stack.started(
                "state", ["-m", "tests.bench.state", str(directory / "state")], stack.OTHER_CORE, log
            )
        )
        running = [
            processes.enter_context(
                stack.started(name, ["-m", name, "--config", str(config)], stack.GATEWAY_CORE, log)
            )
            for name in stack.SERVICES
        ]
        return {
            f"rss.{service.name}_mb": {
                "value": service.rss_mb(),
                "unit": "MiB",
                "ratio": None,
                "against": None,
            }
            for service in running
        }
