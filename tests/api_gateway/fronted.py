"""An edge on a real socket in front of routes of the test's own, and somebody with a key for it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from api_gateway.app import SERVICE
from api_gateway.control import Control
from shared.http_client import HttpClient
from shared.identity.keys import KeyRecord
from shared.ledger.entry import Entry
from shared.limits.limiter import Lease
from tests.support.serve import Running, running
from tests.support.wait import eventually


class Answer(Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes


class Front:
    """The running edge; `ask` sends one request with the key, read to its end. `entries` are all that have
    closed.
    """

    def __init__(self, edge: Running) -> None:
        self.edge = edge
        self.http = HttpClient()
        self.key = ""
        self.entries: list[Entry] = []
        ledger = edge.parts.account.ledger
        close = ledger.close

        async def noting(entry: Entry, lease: Lease | None) -> None:
            await close(entry, lease)
            self.entries.append(entry)

        ledger.close = noting  # type: ignore[method-assign]

    @property
    def port(self) -> int:
        return int(self.edge.url.rpartition(":")[2])

    async def closed(self, count: int = 1, route: str = "route:r") -> list[Entry]:
        """The entries of requests for routes, once there are that many: however soon their rows move on."""

        def enough() -> list[Entry]:
            found = [entry for entry in self.entries if entry.resource.startswith(route)]
            return found if len(found) >= count else []

        return await eventually(enough, f"{count} entries")

    async def ask(
        self, path: str, *, method: str = "GET", body: Any = b"", key: str | None = None, **headers: str
    ) -> Answer:
        secret = self.key if key is None else key
        sent = [("authorization", f"Bearer {secret}")] if secret else []
        sent += [(name.replace("_", "-"), value) for name, value in headers.items()]
        async with await self.http.send(method, self.edge.url + path, headers=sent, body=body) as reply:
            got = {name.decode(): value.decode() for name, value in reply.headers}
            return Answer(reply.status, got, await reply.read(1 << 26))

    async def new_key(self, sub: str) -> str:
        control: Control = self.edge.app.state.control
        secret, _ = await control.create_key(KeyRecord(id="", hash="", sub=sub, tenant="acme"))
        await eventually(lambda: self.edge.parts.keyring.find(secret), "the key is known")
        return secret


@contextlib.asynccontextmanager
async def fronted(
    directory: Path, *routes: dict[str, Any], asks: str = "", **section: Any
) -> AsyncIterator[Front]:
    """`routes` are called r0, r1, … at /r0, /r1, … unless they say otherwise; Alice may use all of them,
    and what `asks` names with a person's consent.
    """
    named = [{"name": f"r{n}", "prefix": f"/r{n}", **route} for n, route in enumerate(routes)]
    rule = {"id": "all", "sub": "user:alice", "dom": "acme", "obj": "route:*", "act": "*"}
    asking = [{"id": "asks", "sub": "*", "dom": "*", "obj": asks, "act": "*"}] if asks else []
    policy = {"rules": [rule], "approvals": asking}
    config = {"api_gateway": {"routes": named, **section}, "policy": policy}
    async with running(SERVICE, config, directory) as edge:
        front = Front(edge)
        known = {"keys", "kills", "policy"}
        await eventually(lambda: known <= edge.parts.snapshots.epochs().keys(), "the start")
        front.key = await front.new_key("user:alice")
        try:
            yield front
        finally:
            await front.http.close()
