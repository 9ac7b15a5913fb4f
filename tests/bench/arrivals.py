"""An open-loop load generator: requests come at their rate, whether those before them are answered or not."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from shared.errors import UpstreamFault
from shared.http_client import HttpClient


class Sample(Struct, frozen=True):
    """One request: `status` is 0 where there was no answer, `replica` "" where nobody said who answered.
    `told` says whether there was a retry-after.
    """

    status: int
    ms: float
    replica: str = ""
    told: bool = False


async def arrivals(
    client: HttpClient, url: str, key: str, *, per_second: float, seconds: float
) -> list[Sample]:
    """GETs of `url` at even distances, and what became of each."""
    loop = asyncio.get_running_loop()
    headers = [("authorization", f"Bearer {key}")]
    began, tasks = loop.time(), []
    for number in range(int(per_second * seconds)):
        await asyncio.sleep(max(0.0, began + number / per_second - loop.time()))
        tasks.append(asyncio.create_task(_one(client, url, headers)))
    return list(await asyncio.gather(*tasks))


async def _one(client: HttpClient, url: str, headers: list[tuple[str, str]]) -> Sample:
    sent = time.perf_counter()
    try:
        async with await client.send("GET", url, headers=headers, header_timeout=30) as reply:
            await reply.read(1 << 20)
            ms = (time.perf_counter() - sent) * 1000
            told = reply.header("retry-after") is not None
            return Sample(reply.status, ms, reply.header("x-replica") or "", told)
    except UpstreamFault:
        return Sample(0, (time.perf_counter() - sent) * 1000)


def quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values) or [0.0]
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def shares(samples: Sequence[Sample]) -> dict[str, float]:
    """Which part of the answers each replica gave, in percent."""
    counts = Counter(sample.replica for sample in samples if sample.status == 200)
    return {replica: 100 * count / counts.total() for replica, count in sorted(counts.items())}
