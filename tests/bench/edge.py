"""The edge before a service of known capacity: goodput at three times as much as it can take, and shares and
tail latency before replicas of which one is slow, one dies and one is added.
"""

import contextlib
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from shared.http_client import HttpClient
from tests.bench import stack
from tests.bench.arrivals import Sample, arrivals, quantile, shares
from tests.bench.calls import stack_key

PLACES, SERVICE_SECONDS = 16, 0.2
CAPACITY = PLACES / SERVICE_SECONDS
# An answer that comes later is of no use to this client.
DEADLINE_MS, SECONDS, ROUNDS = 1000.0, 6.0, 3
# A limit that adapts climbs from a few places, and is told nothing of the service's.
ADAPTS_WITHIN_SECONDS, MOST = 15.0, 400
# The slow one can take 8 requests a second, and its fifth would be 12.
REPLICAS, EACH, FAST, SLOW, PACE = 5, 4, 0.05, 0.5, 60.0
_QUICK = {"interval_seconds": 0.2, "timeout_seconds": 1.0, "rise": 1, "fall": 2}


class Edge(Struct, frozen=True):
    running: stack.Running
    key: str
    client: HttpClient
    service: "subprocess.Popen[str]"

    async def load(self, route: str, per_second: float, seconds: float = SECONDS) -> list[Sample]:
        url = f"{self.running.url}/{route}/x"
        return await arrivals(self.client, url, self.key, per_second=per_second, seconds=seconds)

    def order(self, *words: object) -> None:
        """Tells the service what becomes of its replicas, and waits until it is so."""
        assert self.service.stdin is not None
        assert self.service.stdout is not None
        self.service.stdin.write(" ".join(map(str, words)) + "\n")
        self.service.stdin.flush()
        self.service.stdout.readline()


async def measure(directory: Path) -> dict[str, dict[str, Any]]:
    return await overload(directory) | await balance(directory)


async def overload(directory: Path) -> dict[str, dict[str, Any]]:
    # What is on its way takes a place, too: with no more than the service has it would be idle meanwhile.
    queued = {"limit": PLACES * 3 // 2, "queue": PLACES, "wait_seconds": 0.5}
    adapting = {**queued, "limit": MOST, "adapt": True}
    routes = {"queued": {"concurrency": queued}, "adapting": {"concurrency": adapting}, "open": {}}
    goods, ratios, held = [], [], []
    refused: list[Sample] = []
    async with contextlib.AsyncExitStack() as opened:
        processes = opened.enter_context(contextlib.ExitStack())
        edge = await _edge(directory / "overload", processes, (1, 1, PLACES, SERVICE_SECONDS), routes)
        opened.push_async_callback(edge.client.close)
        await edge.load("queued", CAPACITY, 2)  # only warms up
        for _ in range(ROUNDS):
            peak = _good(await edge.load("queued", CAPACITY))
            flood = await edge.load("queued", 3 * CAPACITY)
            goods.append(_good(flood))
            ratios.append(goods[-1] / peak)
            refused += [sample for sample in flood if sample.status == 503]
            held.append(edge.running.rss_mb())
        await edge.load("adapting", 3 * CAPACITY, ADAPTS_WITHIN_SECONDS)
        adapted = _good(await edge.load("adapting", 3 * CAPACITY))
        unguarded = _good(await edge.load("open", 3 * CAPACITY)) / peak
    if any(not sample.told for sample in refused):
        raise RuntimeError("a refusal does not say when to come back")
    times = [sample.ms for sample in refused]
    good, against = (
        statistics.median(goods),
        f"goodput at 1 x {CAPACITY:.0f} req/s (median of {ROUNDS} rounds)",
    )
    return {
        "edge.overload": _line(good, "req/s", statistics.median(ratios), against),
        "edge.overload.adapted": _line(adapted, "req/s", adapted / peak, "the last goodput at 1 x capacity"),
        "edge.overload.unguarded": _line(unguarded * 100, "%", unguarded, "the same without a queue"),
        "edge.overload.refused_p50_ms": _line(quantile(times, 0.5), "ms", None, "refusals at 3 x capacity"),
        "edge.overload.refused_p99_ms": _line(quantile(times, 0.99), "ms", None, "refusals at 3 x capacity"),
        "edge.overload.growth_mb": _line(held[-1] - held[0], "MiB", None, "RSS, last round to first"),
    }


async def balance(directory: Path) -> dict[str, dict[str, Any]]:
    rule = {"health": _QUICK, "slow_start_seconds": 2}
    routes = {
        name: {"balance": {**rule, "strategy": name}}
        for name in ("round_robin", "power_of_two", "least_busy")
    }
    found: dict[str, dict[str, Any]] = {}
    async with contextlib.AsyncExitStack() as opened:
        processes = opened.enter_context(contextlib.ExitStack())
        script = (REPLICAS + 1, REPLICAS, EACH, FAST)
        edge = await _edge(directory / "balance", processes, script, routes)
        opened.push_async_callback(edge.client.close)
        await edge.load("round_robin", PACE, 2)  # only warms up
        well = {name: await edge.load(name, PACE) for name in routes}
        edge.order("slow", 0, SLOW)
        slow = {name: await edge.load(name, PACE) for name in routes}
        edge.order("stop", 1)
        dying = await edge.load("power_of_two", PACE)
        edge.order("start", REPLICAS)
        await edge.load("power_of_two", PACE, 4)  # it is found, and takes its time to warm up
        added = await edge.load("power_of_two", PACE)
    turns = _p99(slow["round_robin"])
    for name, called in (("power_of_two", "edge.balance"), ("least_busy", "edge.balance.least_busy")):
        found[called] = _line(
            _p99(slow[name]), "ms p99", _p99(slow[name]) / turns, "round robin with one replica of five slow"
        )
        part = shares(slow[name]).get("0", 0.0)
        found[f"{called}.slow_share"] = _line(part, "%", part / 20.0, "a fifth")
    calm = _p99(well["power_of_two"])
    found["edge.balance.well"] = _line(calm, "ms p99", None, "all five well, power of two")
    lost = sum(sample.status != 200 for sample in dying)
    found["edge.balance.dying_lost"] = _line(
        float(lost), "lost", None, f"of {len(dying)} reads, one replica dies"
    )
    part = shares(added).get(str(REPLICAS), 0.0)
    fair = max(share for replica, share in shares(added).items() if replica not in ("0", str(REPLICAS)))
    found["edge.balance.added_share"] = _line(
        part, "%", part / fair, "the share of one that was there before"
    )
    return found


def _good(samples: list[Sample]) -> float:
    """Answers in time, a second."""
    return sum(sample.status == 200 and sample.ms <= DEADLINE_MS for sample in samples) / SECONDS


def _p99(samples: list[Sample]) -> float:
    return quantile([sample.ms for sample in samples], 0.99)


def _line(value: float, unit: str, ratio: float | None, against: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "ratio": ratio, "against": against}


async def _edge(
    directory: Path,
    processes: contextlib.ExitStack,
    script: tuple[int, int, int, float],
    routes: dict[str, dict[str, Any]],
) -> Edge:
    """An edge with these routes to all replicas of a service that is started with `script`."""
    directory.mkdir()
    stack.write_jwks(directory)
    log = directory / "log"

    def start(name: str, command: list[str], core: int) -> stack.Running:
        return processes.enter_context(stack.started(name, command, core, log))

    words = [str(word) for word in script]
    service = start("replicas", ["-m", "tests.bench.replicas", *words], stack.OTHER_CORE)
    config = stack.write_config(directory, "http://127.0.0.1:1")
    _add_routes(config, dict(_routes(service.url.split(","), routes)))
    start("state", ["-m", "tests.bench.state", str(directory / "state")], stack.OTHER_CORE)
    edge = start("api_gateway", ["-m", "api_gateway", "--config", str(config)], stack.GATEWAY_CORE)
    key = await stack_key(edge.url, directory / "state" / "operator.key")
    await stack.ready(edge.url)
    return Edge(edge, key, HttpClient(), service.process)


def _routes(ports: list[str], routes: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    for name, fields in routes.items():
        yield name, {"name": name, "prefix": f"/{name}", "urls": urls, **fields}


def _add_routes(config: Path, routes: dict[str, dict[str, Any]]) -> None:
    whole = yaml.safe_load(config.read_text())
    whole["api_gateway"]["routes"] = list(routes.values())
    config.write_text(yaml.safe_dump(whole))
