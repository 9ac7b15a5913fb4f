"""The kill switch at size: three replicas of each service, 200 open streams of four kinds and calls beside
them. From sending an order, or a key's revocation, to the last byte that the stopped principal reads.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

from tests.bench import stack
from tests.bench.calls import CHAT, JSON
from tests.bench.load import Result, load, request
from tests.support.crowd import KINDS, Stream, crowd, sections
from tests.support.fleet import Fleet, running_fleet
from tests.support.wait import eventually

ROUNDS, EACH, CONNECTIONS = 6, 25, 2
_SETTLE_SECONDS = 1.0
Metric = dict[str, Any]


async def measure(directory: Path) -> dict[str, Metric]:
    directory = directory / "fleet"
    directory.mkdir()
    command = ["-m", "tests.support.endless"]
    with stack.started("endless", command, stack.OTHER_CORE, directory / "upstream.log") as upstream:
        async with running_fleet(directory / "stack", **sections(upstream.url)) as fleet:
            return await _measured(fleet)


async def _measured(fleet: Fleet) -> dict[str, Metric]:
    others, _ = await _key(fleet, "user:bob")
    killed: list[float] = []
    revoked: list[float] = []
    rates: list[Result] = []
    for turn in range(2 * ROUNDS):
        key, name = await _key(fleet, f"user:alice{turn}")
        streams = await crowd([edge.url for edge in fleet.edges], [key, others], EACH)
        beside = asyncio.gather(*(_load(edge.url, others) for edge in fleet.edges))
        await asyncio.sleep(_SETTLE_SECONDS)
        by_kill = turn % 2 == 0
        began = time.monotonic_ns()
        if by_kill:
            body = {"selector": {"user": f"alice{turn}"}, "reason": "bench"}
            answer = await fleet.admin("POST", "/kills", body, turn % 3)
        else:
            answer = await fleet.admin("DELETE", f"/keys/{name}", edge=turn % 3)
        assert answer.status in (200, 201), answer.body
        (killed if by_kill else revoked).extend(await _ends(streams, began))
        rates += await beside
    per_second = sum(rate.per_second for rate in rates) / (2 * ROUNDS)
    beside_it = f"{len(KINDS) * EACH * 2} streams, {per_second:.0f} calls/s beside, 12 processes"
    return {
        "kill.last_byte_ms": _p(killed, 0.99, f"p99; {beside_it}"),
        "kill.last_byte_p50_ms": _p(killed, 0.5, "p50 of the same"),
        "kill.revoked_ms": _p(revoked, 0.99, "p99; a key revoked instead"),
        "kill.revoked_p50_ms": _p(revoked, 0.5, "p50 of the same"),
    }


async def _ends(streams: list[Stream], began: int) -> list[float]:
    """Milliseconds to the last byte of the first half; the other half must still be there."""
    meant, others = streams[: len(streams) // 2], streams[len(streams) // 2 :]
    await eventually(lambda: all(stream.ended_ns for stream in meant), "every stream has ended")
    if not all(stream.open for stream in others):
        raise RuntimeError("streams of somebody else have ended")
    for stream in others:
        stream.close()
    return [(stream.ended_ns - began) / 1_000_000 for stream in meant]


async def _key(fleet: Fleet, sub: str) -> tuple[str, str]:
    made = (await fleet.admin("POST", "/keys", {"sub": sub, "tenant": "acme"})).json
    body = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}

    async def known() -> bool:
        answers = [
            await fleet.send("POST", "/v1/chat/completions", key=made["secret"], body=body, edge=edge)
            for edge in range(len(fleet.edges))
        ]
        return all(answer.status == 200 for answer in answers)

    await eventually(known, "the key is known")
    return made["secret"], made["id"]


async def _load(edge: str, key: str) -> Result:
    body = CHAT.replace(b'"bench"', b'"fast"')
    payload = request(f"{edge}/v1/chat/completions", body, JSON | {"authorization": f"Bearer {key}"})
    result = await load(edge, [payload], connections=CONNECTIONS, seconds=2 * _SETTLE_SECONDS)
    if result.bad:
        raise RuntimeError(f"{result.bad} calls failed: {result.sample[:400]!r}")
    return result


def _p(values: list[float], share: float, against: str) -> Metric:
    ordered = sorted(values)
    value = ordered[min(len(ordered) - 1, int(len(ordered) * share))]
    return {"value": value, "unit": "ms", "ratio": None, "against": against}
