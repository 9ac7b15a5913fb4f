"""Several replicas of each of the four services, in processes of their own over one Valkey and one database,
as a larger set-up has them; any of them can be killed and started again.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from shared.background import cancelled
from shared.config.load import SERVICES
from shared.http_client import HttpClient
from shared.identity.signing import Signer
from shared.valkey import EmbeddedValkey
from tests.support.answer import Answer
from tests.support.stack import OPERATOR_ROLE, OPERATOR_RULE, START_SECONDS, free_ports
from tests.support.wait import eventually


class Member(Struct):
    """One replica. `process` is the one that runs now."""

    service: str
    port: int
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Fleet:
    """`edges` are the replicas of the edge."""

    def __init__(self, directory: Path, count: int) -> None:
        self.directory = directory
        self.http = HttpClient()
        ports = iter(free_ports(count * len(SERVICES)))
        self.members = {name: [Member(name, next(ports)) for _ in range(count)] for name in SERVICES}
        self.valkey = EmbeddedValkey()

    @property
    def edges(self) -> list[Member]:
        return self.members["api_gateway"]

    @property
    def config(self) -> Path:
        return self.directory / "gatestack.yaml"

    @property
    def operator(self) -> str:
        """The operator's key."""
        return (self.directory / "state" / "operator.key").read_text().strip()

    async def send(
        self,
        method: str,
        path: str,
        *,
        edge: int = 0,
        key: str = "",
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request to one of the edges, read to its end."""
        sent = {"content-type": "application/json", "authorization": f"Bearer {key}", **(headers or {})}
        payload = b"" if body is None else msgspec.json.encode(body)
        url = self.edges[edge].url + path
        async with await self.http.send(method, url, headers=list(sent.items()), body=payload) as reply:
            return await Answer.of(reply)

    async def admin(self, method: str, path: str, body: object = None, edge: int = 0) -> Answer:
        return await self.send(method, f"/admin/api{path}", key=self.operator, body=body, edge=edge)

    async def start(self, member: Member) -> None:
        """Starts a replica. It may still be starting when this returns."""
        with (self.directory / "log").open("ab") as log:
            member.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", member.service, "--config", str(self.config)),
                *("--bind", f"127.0.0.1:{member.port}"),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "GATESTACK_SUPERVISED": "1"},
            )

    async def kill(self, *members: Member) -> None:
        """`kill -9`, and started again. Returns when they are ready."""
        for member in members:
            assert member.process is not None
            member.process.send_signal(signal.SIGKILL)
            await member.process.wait()
            await self.start(member)
        await self.ready(*members)

    async def kill_valkey(self) -> None:
        """`kill -9`. Returns when it has been started again and all are ready."""
        process = self.valkey._process
        assert process is not None
        process.kill()
        await eventually(lambda: self.valkey._process is not process, "Valkey again", seconds=START_SECONDS)
        await self.ready(*self.all)

    @property
    def all(self) -> list[Member]:
        return [member for members in self.members.values() for member in members]

    async def ready(self, *members: Member) -> None:
        for member in members:
            told = f"{member.service} ready: {self.directory / 'log'}"
            await eventually(partial(self._is_ready, member), told, seconds=START_SECONDS)

    async def _is_ready(self, member: Member) -> bool:
        assert member.process is not None
        assert member.process.returncode is None, (self.directory / "log").read_text()[-4000:]
        with contextlib.suppress(Exception):
            async with await self.http.send("GET", f"{member.url}/readyz") as reply:
                return reply.status == 200
        return False

    async def stop(self) -> None:
        """At once: what is open is none of ours."""
        await self.http.close()
        for member in self.all:
            if member.process is not None and member.process.returncode is None:
                member.process.kill()
                await member.process.wait()


@contextlib.asynccontextmanager
async def running_fleet(
    directory: Path, *, count: int = 3, sql: str = "", **sections: Any
) -> AsyncIterator[Fleet]:
    """`count` replicas of each service, ready, with `sections` over what every fleet has; `sql` is a
    database that all edges share (by default a file).
    """
    fleet = Fleet(directory, count)
    state = directory / "state"
    state.mkdir(parents=True)
    await fleet.valkey.start(state)
    watch = asyncio.create_task(fleet.valkey.watch())
    try:
        whole = _configuration(fleet, sql or f"sqlite://{state / 'gatestack.db'}", sections)
        fleet.config.write_text(yaml.safe_dump(whole))
        for name in SERVICES:
            # Replicas sign with the same key: made before two of them could each make one.
            Signer.load_or_create(directory / "keys", name)
        for member in fleet.all:
            await fleet.start(member)
        await fleet.ready(*fleet.all)
        await eventually(lambda: (state / "operator.key").exists(), "the operator's key")
        yield fleet
    finally:
        await fleet.stop()
        await cancelled(watch)
        await fleet.valkey.stop()


def _configuration(fleet: Fleet, sql: str, sections: dict[str, Any]) -> dict[str, Any]:
    urls = {name: [member.url for member in members] for name, members in fleet.members.items()}
    policy = sections.get("policy", {})
    whole: dict[str, Any] = {
        "state": {"dir": str(fleet.directory / "state"), "redis": fleet.valkey.url, "sql": sql},
        "identity": {
            "keys_dir": str(fleet.directory / "keys"),
            "trust": {name: f"{urls[name][0]}/.well-known/jwks.json" for name in SERVICES},
        },
        **{name: section for name, section in sections.items() if name not in SERVICES},
        "policy": {
            "rules": [OPERATOR_RULE, *policy.get("rules", [])],
            "roles": [OPERATOR_ROLE, *policy.get("roles", [])],
        },
        **{name: {"bind": "127.0.0.1:0", **sections.get(name, {})} for name in SERVICES},
    }
    gateways = {name: found for name, found in urls.items() if name != "api_gateway"}
    whole["api_gateway"] = {"gateways": gateways, **whole["api_gateway"]}
    whole["agent_gateway"] = {"public_url": urls["api_gateway"][0], **whole["agent_gateway"]}
    return whole
