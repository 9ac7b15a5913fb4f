"""How long `gatestack apply` takes for 5,000 objects: files read, planned, sent and in force at the edge,
whose process shares the cores with the command here. `python -m tests.bench.apply`.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from tests.api_gateway.office import Office, opened

KEYS, AGENTS = 4_000, 1_000
WHY = ("--reason", "bench")


async def measure(directory: Path) -> dict[str, dict[str, Any]]:
    file = directory / "objects.yaml"
    file.write_text(yaml.safe_dump_all(_objects()))
    async with opened(directory / "apply") as office:
        first = await _seconds(office, file, "--secrets", str(directory / "secrets"))
        again = await _seconds(office, file)
    return {
        "admin.apply_5000_s": {"value": first, "unit": "s", "ratio": None, "against": ""},
        "admin.apply_5000_again_s": {
            "value": again,
            "unit": "s",
            "ratio": again / first,
            "against": "the first time",
        },
    }


async def _seconds(office: Office, file: Path, *more: str) -> float:
    began = time.perf_counter()
    said = await office.say("apply", "-f", str(file), *WHY, *more)
    assert said.code == 0, said
    return time.perf_counter() - began


def _objects() -> list[dict[str, Any]]:
    key = {"sub": "user:alice", "tenant": "acme", "team": "support", "budget": {"micros": 5}}
    agent = {"tenant": "acme", "labels": ["reads:private"], "bridge": {"kind": "chat", "model": "fast"}}
    found = [{"kind": "key", "name": f"key-{number}", "spec": key} for number in range(KEYS)]
    return found + [{"kind": "agent", "name": f"agent-{number}", "spec": agent} for number in range(AGENTS)]


async def _measured() -> dict[str, dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="gsb") as name:
        return await measure(Path(name))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measured()), indent=2))
    sys.exit(0)
