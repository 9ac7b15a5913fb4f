"""`make bench`: prints a table and writes bench.json, name -> {value, unit, ratio, against}.

Method: gateway processes pinned to one core, load and upstream on the other; rounds of bare forwarder and
gateway alternate in one run, and the ratio is the median of the rounds' ratios. Read ratios, not absolutes.
"""

import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import uvloop

from tests.bench import (
    agents,
    apply,
    calls,
    edge,
    kill,
    kill_fleet,
    ledger,
    lists,
    memory,
    models,
    policy,
    stack,
    streams,
    tools,
    versus,
    who_can,
)

OUT = Path("bench.json")
# Their gateways have a core of their own; those of the others use all there are.
ONE_CORE = (calls, agents, tools, lists, versus, models, streams, kill, memory, edge)
ALL_CORES = (kill_fleet, apply, ledger, who_can)


async def measure(directory: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    with stack.off_the_gateways_core():
        for part in ONE_CORE:
            found |= await _measured(part, directory)
    for part in ALL_CORES:
        found |= await _measured(part, directory)
    print("measuring policy …", flush=True)
    return found | policy.measure()


async def _measured(part: ModuleType, directory: Path) -> dict[str, dict[str, Any]]:
    print(f"measuring {part.__name__.rpartition('.')[2]} …", flush=True)
    lines: dict[str, dict[str, Any]] = await part.measure(directory)
    return lines


def show(found: dict[str, dict[str, Any]]) -> None:
    print(f"\n{'name':28} {'value':>12} {'unit':8} {'ratio':>7}  against")
    for name, line in sorted(found.items()):
        ratio = f"{line['ratio']:.2f}" if line.get("ratio") is not None else ""
        print(f"{name:28} {line['value']:12.2f} {line['unit']:8} {ratio:>7}  {line.get('against') or ''}")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="gsb") as name:
        found = uvloop.run(measure(Path(name)))
    show(found)
    OUT.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
