"""A service on a free port inside the test's own loop: its real app over real parts, and the edge that it
trusts.

edge = Edge(tmp_path)
async with running(SERVICE, {"llm_gateway": {...}, "policy": {...}}, tmp_path, edge=edge) as service:
    token = edge.token(someone(), audience="llm_gateway")
    ... service.url, service.parts, await service.rows(1)
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct
from starlette.applications import Starlette

from shared import server
from shared.clock import Clock
from shared.config import load
from shared.identity.keys import KeyRecord, new_key
from shared.identity.principal import Caller, ChainBudget, Principal, Trace
from shared.identity.signing import Signer
from shared.identity.token import identity_claims
from shared.kill import Kill
from shared.ledger.entry import new_id
from shared.ledger.row import Row, opened
from shared.limits.keys import tenant_keys
from shared.parts import Parts, open_parts
from shared.redis_client import Redis
from shared.run import Service
from shared.server import Clients, ServerName
from shared.snapshots import Snapshots
from shared.store import Store
from shared.tls import Listening, Tls
from tests.support.wait import eventually

TENANT = "acme"
_GRACE_SECONDS = 0.2


def someone(
    *actors: str,
    tenant: str = TENANT,
    chain: str = "",
    parent: str = "",
    hop: int = 0,
    key: str = "",
    budget: ChainBudget | None = None,
    **principal: Any,
) -> Caller:
    """A caller as an authenticator returns it; `user:alice` of the team `support` unless told otherwise."""
    actors = actors or ("user:alice",)
    return Caller(
        principal=Principal(sub=actors[0], tenant=tenant, **{"team": "support", **principal}),
        actors=actors,
        chain=chain or new_id(),
        credential="key",
        parent=parent,
        hop=hop,
        key=key,
        budget=budget or ChainBudget(),
    )


class Edge:
    """What the edge is to a service behind it: it signs identity tokens, and it publishes keys, kills and
    policy.
    """

    def __init__(self, directory: Path) -> None:
        self.keys_dir = directory / "edge"
        self.signer = Signer.load_or_create(self.keys_dir, "api_gateway")
        self.jwks = self.keys_dir / "jwks.json"
        self.jwks.write_bytes(self.signer.jwks())
        self._clock = Clock()
        self._epoch = 0

    def token(
        self, caller: Caller, *, audience: str, entry: str = "", trace: Trace | None = None, ttl: int = 60
    ) -> str:
        """The identity token (header `Txn-Token`) that the edge would send on for `caller`."""
        claims = identity_claims(
            caller,
            issuer=self.signer.issuer,
            audience=audience,
            entry_id=entry or new_id(),
            trace=trace or Trace(trace_id="1" * 32, span_id="2" * 16),
            ttl=ttl,
        )
        return self.signer.sign(claims, typ="txn+jwt")

    def key(self, **record: Any) -> tuple[str, KeyRecord]:
        """A new virtual key's secret and its record, which still has to be published."""
        secret, fields = new_key()
        wanted = {"sub": "user:alice", "tenant": TENANT, "team": "support"} | record
        return secret, KeyRecord(**fields, **wanted, created_at=self._clock.now_us())

    async def publish(self, parts: Parts, name: str, payload: Any) -> None:
        """Publishes a snapshot and waits until the service obeys it."""
        epoch = await self.lay(parts, name, payload)
        await eventually(lambda: parts.snapshots.epochs().get(name, 0) >= epoch, f"{name} published")

    async def lay(self, parts: Parts, name: str, payload: Any) -> int:
        """Publishes a snapshot that the service may refuse; its epoch."""
        self._epoch = max(self._epoch + 1, int(self._clock.now() * 1000))
        publisher = Snapshots(parts.redis, None, self._clock)
        await publisher.publish(name, msgspec.json.encode(payload), self._epoch, self.signer)
        return self._epoch

    async def keys(self, parts: Parts, records: Sequence[KeyRecord]) -> None:
        await self.publish(parts, "keys", records)

    async def kill(self, parts: Parts, **selector: str) -> None:
        """Stops what `selector` means; without one, lifts every kill."""
        kills = (
            [Kill(id=new_id(), selector=selector, reason="a test", by="user:operator")] if selector else []
        )
        await self.publish(parts, "kills", kills)


class Running(Struct, frozen=True):
    url: str
    app: Starlette
    parts: Parts

    async def rows(self, count: int, tenant: str = TENANT) -> list[Row]:
        """The tenant's ledger rows, once there are at least `count`, oldest first."""

        async def enough() -> list[Row]:
            found = await self.rows_now(tenant)
            return found if len(found) >= count else []

        return await eventually(enough, f"{count} rows in the ledger")

    async def rows_now(self, tenant: str = TENANT) -> list[Row]:
        """The tenant's ledger rows: at an edge those, too, that its drain has moved on already."""
        waiting = await rows(self.parts.redis, tenant)
        control = getattr(self.app.state, "control", None)
        moved = [] if control is None else await _moved(control.store, tenant)
        known = {(row.writer, row.seq) for row in moved}
        return moved + [row for row in waiting if (row.writer, row.seq) not in known]

    async def row(self, tenant: str = TENANT) -> Row:
        """The one row that there is."""
        [found] = await self.rows(1, tenant)
        return found


async def rows(redis: Redis, tenant: str = TENANT) -> list[Row]:
    """The rows that wait in a tenant's ledger stream, without the writers' checkpoints."""
    stream = await redis.execute("XRANGE", tenant_keys(tenant).ledger, "-", "+")
    bodies = [dict(zip(fields[::2], fields[1::2], strict=True))[b"row"] for _, fields in stream]
    return [row for row in map(opened, bodies) if not row.checkpoint]


async def _moved(store: Store, tenant: str) -> list[Row]:
    """The tenant's rows in SQL, each writer's in their order."""
    kept = [row.body for writer in await store.writers() async for row in store.rows(writer)]
    return [row for row in map(opened, kept) if row.tenant == tenant and not row.checkpoint]


@contextlib.asynccontextmanager
async def running(
    service: Service[Any],
    config: Mapping[str, Any],
    directory: Path,
    *,
    edge: Edge | None = None,
    redis: str = "embedded",
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Running]:
    """Serves `service` with `config` (the sections of gatestack.yaml) until the block is left.

    `redis` is another's Valkey or, by default, one of its own. `environ` is what `${NAME}` in the
    configuration finds. With an `edge` the service trusts it and has its (empty) lists of keys and kills; the
    edge itself runs without one.
    """
    home = directory / service.name
    home.mkdir(parents=True, exist_ok=True)
    path = home / "gatestack.yaml"
    path.write_text(yaml.safe_dump(_complete(config, home, redis, edge), sort_keys=False))
    loaded = load(path, service.name, service.section, service.problems, environ or {})
    async with open_parts(service.name, loaded, clock) as parts:
        app = service.build(loaded, parts)
        tls = loaded.section.tls
        async with (
            service.living(loaded, parts, app),
            serving(app, tls, parts.kill.stop, service.clients(loaded.section)) as url,
        ):
            if edge is not None:
                await edge.keys(parts, [])
                await edge.kill(parts)
            yield Running(url=url, app=app, parts=parts)


@contextlib.asynccontextmanager
async def serving(
    app: Any,
    tls: Tls | None = None,
    end_open: Callable[[], None] | None = None,
    clients: Clients = Clients(),  # noqa: B008  it is frozen
    grace_seconds: float = _GRACE_SECONDS,
    by: ServerName = "hypercorn",
) -> AsyncIterator[str]:
    """Serves any ASGI app on a free port, and yields its address. What is open at the end has
    `grace_seconds`.
    """
    stop, ready = asyncio.Event(), asyncio.Event()
    listener: socket.socket = server.bind("127.0.0.1:0")
    url = server.url_of(listener, secure=tls is not None)
    listening = Listening(tls) if tls is not None else None
    task = asyncio.create_task(
        server.serve(
            app,
            listener,
            stop,
            server=by,
            grace_seconds=grace_seconds,
            ready=ready.set,
            tls=listening,
            end_open=end_open,
            clients=clients,
        )
    )
    try:
        await ready.wait()
        if by == "granian":
            # It says so before it listens.
            await eventually(lambda: _listens(url), "it listens")
        yield url
    finally:
        stop.set()
        with contextlib.closing(listener):
            await task


def _listens(url: str) -> bool:
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 1),
    ):
        return True
    return False


def _complete(config: Mapping[str, Any], home: Path, redis: str, edge: Edge | None) -> dict[str, Any]:
    state = {"dir": str(home / "state"), "redis": redis}
    trust = {"api_gateway": str(edge.jwks)} if edge is not None else {}
    return {"state": state, "identity": {"keys_dir": str(home / "keys"), "trust": trust}} | dict(config)
