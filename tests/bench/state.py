"""The embedded Valkey of a benchmark, started on the core that is not the gateway's."""

import asyncio
import sys
from pathlib import Path

from shared.valkey import EmbeddedValkey


async def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    valkey = EmbeddedValkey()
    await valkey.start(directory, fsync="everysec")
    print(f"valkey listens on {valkey.url}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await valkey.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
