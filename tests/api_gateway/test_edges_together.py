"""Several edges over one database and one Redis are one control plane: they come up together, obey each
other's changes, and go on with what they hold while either is gone.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from api_gateway.app import SERVICE
from api_gateway.control import Control
from shared.http_client import HttpClient
from shared.identity.keys import KeyRecord
from shared.valkey import EmbeddedValkey
from tests.support.postgres import Postgres
from tests.support.serve import Running, running
from tests.support.stack import OPERATOR_ROLE, OPERATOR_RULE
from tests.support.wait import eventually

POLICY = {"rules": [OPERATOR_RULE], "roles": [OPERATOR_ROLE]}


@contextlib.asynccontextmanager
async def _valkey() -> AsyncIterator[EmbeddedValkey]:
    with tempfile.TemporaryDirectory(prefix="gs-") as directory:
        server = EmbeddedValkey()
        await server.start(Path(directory), fsync="everysec")
        try:
            yield server
        finally:
            await server.stop()


def _edge(
    directory: Path, redis: str, sql: str, **more: Any
) -> contextlib.AbstractAsyncContextManager[Running]:
    """They share their signing keys, as edges must."""
    sections = {
        "state": {"dir": str(directory / "state"), "redis": redis, "sql": sql},
        "identity": {"keys_dir": str(directory.parent / "keys")},
        "policy": POLICY,
        **more,
    }
    return running(SERVICE, sections, directory)


def _control(edge: Running) -> Control:
    control: Control = edge.app.state.control
    return control


def _knows(edge: Running, *names: str) -> bool:
    return set(names) <= edge.parts.snapshots.epochs().keys()


def _at_least(edge: Running, name: str, epoch: int) -> bool:
    return edge.parts.snapshots.epochs()[name] >= epoch


async def test_edges_that_start_at_once_on_an_empty_database_all_come_up(
    postgres: Postgres, tmp_path: Path
) -> None:
    sql = await postgres.database()
    async with _valkey() as valkey, contextlib.AsyncExitStack() as stack:
        starting = [
            stack.enter_async_context(_edge(tmp_path / f"edge{n}", valkey.url, sql)) for n in range(3)
        ]
        edges = await asyncio.gather(*starting)
        for edge in edges:
            await eventually(partial(_knows, edge, "keys", "kills", "policy"), "an edge is up")
        await eventually(lambda: len(list(tmp_path.glob("*/state/operator.key"))) == 1, "one operator's key")
        first = _control(edges[0])
        assert [key.id for key in await first.store.keys(None)] == ["first-operator"]
        assert [version.number for version in await first.store.policies()] == [1]
        kill = await _control(edges[1]).add_kill({"agent": "x"}, "", "user:operator")
        epoch = edges[1].parts.snapshots.epochs()["kills"]
        for edge in edges:
            await eventually(partial(_at_least, edge, "kills", epoch), "a kill got round")
        await _control(edges[2]).lift_kill(kill.id, "user:operator")

        async def three() -> bool:
            replicas, now = await edges[0].parts.roll.ask()
            return sum(not one.is_gone(now) for one in replicas) == 3

        await eventually(three, "three edges on the roll")


async def test_an_edge_goes_on_with_what_it_holds_while_redis_is_gone(
    postgres: Postgres, tmp_path: Path
) -> None:
    sql = await postgres.database()
    with tempfile.TemporaryDirectory(prefix="gs-") as directory:
        valkey, http = EmbeddedValkey(), HttpClient()
        await valkey.start(Path(directory), fsync="everysec")
        try:
            patient = {"kill": {"max_age_seconds": 600}}
            async with _edge(tmp_path / "edge", valkey.url, sql, **patient) as edge:
                control = _control(edge)
                await eventually(lambda: _knows(edge, "keys", "kills", "policy"), "an edge is up")
                draft = KeyRecord(id="", hash="", sub="user:operator", tenant="system")
                secret, _ = await control.create_key(draft)
                await valkey.stop()
                await eventually(lambda: "kills" in edge.parts.snapshots.trouble, "it has noticed")
                held = edge.parts.snapshots.epochs()
                status, body = await _asked(http, edge, "/policy", secret)
                assert (status, body["version"]) == (200, 1), body
                assert (await _asked(http, edge, "/policy", "gsk_wrong"))[0] == 401
                # What is changed meanwhile is kept, and told as soon as somebody can be told.
                with contextlib.suppress(Exception):
                    await control.add_kill({"agent": "x"}, "", "user:operator")
                assert edge.parts.snapshots.epochs() == held
                await valkey.start(Path(directory), fsync="everysec")
                await eventually(
                    lambda: edge.parts.snapshots.epochs()["kills"] > held["kills"], "the kill is in force"
                )
                assert len(await control.store.kills()) == 1
        finally:
            await http.close()
            await valkey.stop()


async def _asked(http: HttpClient, edge: Running, path: str, key: str) -> tuple[int, Any]:
    headers = [("authorization", f"Bearer {key}")]
    async with await http.send("GET", f"{edge.url}/admin/api{path}", headers=headers) as reply:
        return reply.status, msgspec.json.decode(await reply.read(2**20))
