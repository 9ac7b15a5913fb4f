"""The whole stack as its users run it: `gatestack up` in processes of its own, before a test's upstreams."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Any

import msgspec
import yaml

from shared.config.load import SERVICES
from shared.http_client import HttpClient
from tests.support.answer import Answer
from tests.support.wait import eventually

START_SECONDS = 90.0
# For a connection, where a thousand are opened at once.
PATIENCE = 30.0
# An edge that was killed has left the drain's lock behind, and another waits until it has run out.
DRAIN_SECONDS = 20.0
_LOWEST_PORT, _EPHEMERAL = 10_240, "/proc/sys/net/ipv4/ip_local_port_range"
OPERATOR_RULE = {"id": "operators", "sub": "role:operator", "dom": "*", "obj": "*", "act": "*"}
OPERATOR_ROLE = {"member": "user:operator", "role": "role:operator", "dom": "system"}


class Stack:
    """A running stack. `url` is the edge's; `admin` speaks to its admin API as the operator."""

    def __init__(self, directory: Path, ports: dict[str, int]) -> None:
        self.directory = directory
        self.ports = ports
        self.url = self.url_of("api_gateway")
        self.http = HttpClient()
        self.lines: list[str] = []
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The `gatestack up` that runs."""
        assert self._process is not None
        return self._process

    def url_of(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    @property
    def config(self) -> Path:
        return self.directory / "gatestack.yaml"

    async def send(
        self,
        method: str,
        path: str,
        *,
        key: str = "",
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request to the edge (or to a whole address), read to its end."""
        payload = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        sent = {"content-type": "application/json", **(headers or {})}
        if key:
            sent["authorization"] = f"Bearer {key}"
        url = path if "://" in path else self.url + path
        async with await self.http.send(
            method, url, headers=list(sent.items()), body=payload, connect_timeout=PATIENCE
        ) as reply:
            return await Answer.of(reply)

    async def admin(self, method: str, path: str, body: object = None) -> Answer:
        key = (self.directory / "state" / "operator.key").read_text().strip()
        return await self.send(method, f"/admin/api{path}", key=key, body=body)

    async def key(self, sub: str = "user:alice", tenant: str = "acme", **more: Any) -> str:
        """A fresh key's secret."""
        made = await self.admin("POST", "/keys", {"sub": sub, "tenant": tenant, **more})
        assert made.status == 201, made.body
        return str(made.json["secret"])

    async def entries(self, chain: str, count: int = 1) -> list[dict[str, Any]]:
        """A chain's rows once they are in SQL. Its root closes last and rows keep their order, so with the
        root there they all are.
        """

        async def enough() -> list[dict[str, Any]]:
            found = await self.admin("GET", f"/chains/{chain}")
            rows: list[dict[str, Any]] = found.json["entries"] if found.status == 200 else []
            return rows if any(not row["parent"] for row in rows) and len(rows) >= count else []

        return await eventually(enough, f"{count} rows of chain {chain}", seconds=DRAIN_SECONDS)

    def pid_of(self, service: str) -> int:
        """The process id of one service, found by the port it listens on being its own and its command
        line.
        """
        found = self._pid(service)
        assert found, f"{service} does not run"
        return found

    def _pid(self, service: str) -> int:
        """The same, 0 while it does not run."""
        wanted = ["-m", service, "--config", str(self.config)]
        pids = processes(lambda entry: (entry / "cmdline").read_text().split("\0")[1:5] == wanted)
        return pids[0] if pids else 0

    def _pid_but(self, service: str, old: int) -> int:
        found = self._pid(service)
        return 0 if found == old else found

    @property
    def valkey_pid(self) -> int:
        """The embedded Valkey's process id."""
        pids = self._valkey_pids()
        assert pids, "Valkey does not run"
        return pids[0]

    def _valkey_pids(self) -> list[int]:
        """It works in the folder of its data."""
        data = (self.directory / "state" / "valkey").resolve()
        return processes(
            lambda entry: (
                (entry / "cwd").readlink() == data and "valkey-server" in (entry / "cmdline").read_text()
            )
        )

    def left_behind(self) -> list[int]:
        """Every process of this stack that still runs, whatever it is."""
        place = str(self.directory.resolve())
        return processes(
            lambda entry: (
                place in (entry / "cmdline").read_text() or str((entry / "cwd").readlink()).startswith(place)
            )
        )

    async def kill(self, *services: str) -> None:
        """`kill -9`. Returns when they have been started again and are ready."""
        old = {service: self.pid_of(service) for service in services}
        for pid in old.values():
            os.kill(pid, signal.SIGKILL)
        for service, pid in old.items():
            again = partial(self._pid_but, service, pid)
            await eventually(again, f"{service} started again", seconds=START_SECONDS)
        await self.ready(*services)

    async def kill_valkey(self) -> None:
        """`kill -9`. Returns when it runs again and all services are ready."""
        old = self.valkey_pid
        os.kill(old, signal.SIGKILL)
        await eventually(
            lambda: any(pid != old for pid in self._valkey_pids()),
            "Valkey started again",
            seconds=START_SECONDS,
        )
        await self.ready()

    async def kill_up(self) -> None:
        """`kill -9` of `gatestack up` itself. Returns when no process is left, and another has started all
        again.
        """
        os.kill(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        await eventually(lambda: not self.left_behind(), "no process left", seconds=START_SECONDS)
        await self.start()

    async def start(self) -> None:
        """`gatestack up`, until all is ready; again, once the last one has ended."""
        if self._reading is not None:
            await self._reading
        self.lines.clear()
        with (self.directory / "log").open("ab") as log:
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "api_gateway.cli", "up", "--config", str(self.config)),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._reading = reading = asyncio.create_task(_read(process, self.lines))
        async with asyncio.timeout(START_SECONDS):
            while not any("ready. The edge" in line for line in self.lines):
                if process.returncode is not None or reading.done():
                    told = (self.directory / "log").read_text()[-4000:]
                    raise AssertionError("\n".join(self.lines) + told)
                await asyncio.sleep(0.02)
        await self.ready()

    async def stop(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            os.kill(process.pid, signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 25)
            except TimeoutError:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if self._reading is not None:
            await self._reading

    async def ready(self, *services: str) -> None:
        """Waits until these services (all by default) say that they are ready."""
        for service in services or SERVICES:
            await eventually(partial(self._is_ready, service), f"{service} ready", seconds=START_SECONDS)

    async def _is_ready(self, service: str) -> bool:
        with contextlib.suppress(Exception):
            return (await self.send("GET", f"{self.url_of(service)}/readyz")).status == 200
        return False


def processes(wanted: Callable[[Path], bool]) -> list[int]:
    """The ids of the processes whose folder in /proc `wanted` says yes to."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and wanted(entry):
                found.append(int(entry.name))
    return found


def free_ports(count: int) -> list[int]:
    """Ports that nobody has, and that the system gives nobody by itself before, or between, their uses."""
    end = max(int(Path(_EPHEMERAL).read_text().split()[0]), 2 * _LOWEST_PORT)
    found: set[int] = set()
    while len(found) < count:
        with contextlib.suppress(OSError), socket.socket() as one:
            # pytest-randomly seeds the other dice alike in every process.
            one.bind(("127.0.0.1", SystemRandom().randrange(_LOWEST_PORT, end)))
            found.add(one.getsockname()[1])
    return list(found)


def configuration(directory: Path, ports: dict[str, int], sections: dict[str, Any]) -> dict[str, Any]:
    """`sections` over what every stack of a test has: free ports, state of its own, an operator."""
    urls = {service: f"http://127.0.0.1:{port}" for service, port in ports.items()}
    policy = sections.get("policy", {})
    whole: dict[str, Any] = {
        "state": {"dir": str(directory / "state")},
        "kill": {"max_age_seconds": 10},
        **{name: section for name, section in sections.items() if name not in SERVICES},
        "identity": {
            "keys_dir": str(directory / "keys"),
            "trust": {name: f"{url}/.well-known/jwks.json" for name, url in urls.items()},
            **sections.get("identity", {}),
        },
        "policy": {
            **policy,
            "rules": [OPERATOR_RULE, *policy.get("rules", [])],
            "roles": [OPERATOR_ROLE, *policy.get("roles", [])],
        },
    }
    for service in SERVICES:
        whole[service] = {"bind": f"127.0.0.1:{ports[service]}", **sections.get(service, {})}
    gateways = {name: [urls[name]] for name in SERVICES if name != "api_gateway"}
    whole["api_gateway"] = {"gateways": gateways, **whole["api_gateway"]}
    whole["agent_gateway"] = {"public_url": urls["api_gateway"], **whole["agent_gateway"]}
    return whole


@contextlib.asynccontextmanager
async def running_stack(
    directory: Path, *, ports: dict[str, int] | None = None, **sections: Any
) -> AsyncIterator[Stack]:
    """`gatestack up` with `sections` over the test configuration; ended, and checked to have left nothing,
    afterwards. `ports` by service, where a section has to know them.
    """
    ports = ports or dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "gatestack.yaml"
    path.write_text(yaml.safe_dump(configuration(directory, ports, sections)))
    stack = Stack(directory, ports)
    try:
        await stack.start()
        yield stack
    finally:
        await stack.http.close()
        await stack.stop()


async def _read(process: asyncio.subprocess.Process, lines: list[str]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        lines.append(line.decode(errors="replace").rstrip())
