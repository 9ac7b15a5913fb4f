"""Agents' streams against the bare forwarder, and what a call costs as its chain grows.

`a2a.stream` is events a second: streams of fifty, each event written by itself. `a2a.hops` is the gateway's
own processor time for a SendMessage of a chain of five actors, over one of a single actor: elapsed time on a
busy machine tells less.
"""

import contextlib
import json
import os
import statistics
from pathlib import Path
from typing import Any

import yaml

from shared.identity.signing import Signer
from tests.bench import stack
from tests.bench.calls import CONNECTIONS, JSON, SECONDS, checked
from tests.bench.load import Result, load, request
from tests.bench.upstream import STREAMED

ROUNDS, TOKENS = 4, 4_000
HOPS = ("user:bench", "agent:a1", "agent:a2", "agent:a3", "agent:a4")
_MESSAGE = {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
_A2A = JSON | {"a2a-version": "1.0"}
_TICKS = os.sysconf("SC_CLK_TCK")


def _body(method: str, **more: Any) -> bytes:
    call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"message": _MESSAGE}}
    return json.dumps(call | more).encode()


def _requests(url: str, method: str, signer: Signer, actors: tuple[str, ...]) -> list[bytes]:
    """Each of a chain of its own."""
    made = stack.tokens(signer, "agent_gateway", TOKENS, actors)
    return [request(f"{url}/agents/bench", _body(method), _A2A | {"txn-token": each}) for each in made]


async def measure(directory: Path) -> dict[str, dict[str, Any]]:
    directory = directory / "agents"
    directory.mkdir()
    signer, log = stack.write_jwks(directory), directory / "log"
    with contextlib.ExitStack() as processes:

        def start(name: str, command: list[str], core: int) -> stack.Running:
            return processes.enter_context(stack.started(name, command, core, log))

        upstream = start("upstream", ["-m", "tests.bench.upstream"], stack.OTHER_CORE)
        config = stack.write_config(directory, upstream.url)
        _know_the_chain(config, upstream.url)
        state = start("state", ["-m", "tests.bench.state", str(directory / "state")], stack.OTHER_CORE)
        bare = start("bare", ["-m", "tests.bench.bare", upstream.url], stack.GATEWAY_CORE)
        gateway = start("agent_gateway", ["-m", "agent_gateway", "--config", str(config)], stack.GATEWAY_CORE)
        await stack.publish_no_kills(signer, state.url)
        await stack.ready(gateway.url)
        return await _streams(bare, gateway, signer) | await _hops(gateway, signer)


async def _streams(bare: stack.Running, gateway: stack.Running, signer: Signer) -> dict[str, dict[str, Any]]:
    # The forwarder streams where its own dialect says so.
    asked = _body("SendStreamingMessage", model="bench", messages=[], stream=True)
    plain = [request(f"{bare.url}/a2a", asked, JSON)]
    rates, ratios, used, against = [], [], [], []
    for place in range(ROUNDS + 1):
        theirs, theirs_us = await _timed(bare, plain)
        ours, ours_us = await _timed(
            gateway, _requests(gateway.url, "SendStreamingMessage", signer, HOPS[:1])
        )
        if place:  # the first round only warms up
            rates.append(ours.per_second * STREAMED)
            ratios.append(ours.per_second / theirs.per_second)
            used.append(ours_us / STREAMED)
            against.append(theirs_us / STREAMED)
    cpu, bare_cpu = statistics.median(used), statistics.median(against)
    return {
        "a2a.stream": _line(statistics.median(rates), "events/s", statistics.median(ratios)),
        "a2a.stream.cpu_us": _line(cpu, "us/event", bare_cpu / cpu),
    }


async def _hops(gateway: stack.Running, signer: Signer) -> dict[str, dict[str, Any]]:
    one, five = [], []
    for place in range(ROUNDS + 1):
        _, short = await _timed(gateway, _requests(gateway.url, "SendMessage", signer, HOPS[:1]))
        _, long = await _timed(gateway, _requests(gateway.url, "SendMessage", signer, HOPS))
        if place:
            one.append(short)
            five.append(long)
    value, against = statistics.median(five), statistics.median(one)
    return {"a2a.hops": _line(value, "us/call", value / against, "a chain of one actor")}


async def _timed(running: stack.Running, requests: list[bytes]) -> tuple[Result, float]:
    """A round, and the microseconds of processor time that each answer took."""
    before = _cpu(running)
    result = checked(await load(running.url, requests, connections=CONNECTIONS, seconds=SECONDS))
    return result, (_cpu(running) - before) * 1_000_000 / (result.per_second * SECONDS)


def _cpu(running: stack.Running) -> float:
    """Seconds of processor time that the process has used."""
    fields = Path(f"/proc/{running.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _line(value: float, unit: str, ratio: float, against: str = "bare forwarder") -> dict[str, Any]:
    return {"value": value, "unit": unit, "ratio": ratio, "against": against}


def _know_the_chain(path: Path, upstream: str) -> None:
    """The chain's agents are agents of this gateway, and may use the one that is called."""
    config: dict[str, Any] = yaml.safe_load(path.read_text())
    for actor in HOPS[1:]:
        name = actor.removeprefix("agent:")
        config["agent_gateway"]["agents"][name] = {"url": f"{upstream}/a2a/{name}"}
        config["policy"]["roles"].append({"member": actor, "role": "role:r1", "dom": "acme"})
    path.write_text(yaml.safe_dump(config))
