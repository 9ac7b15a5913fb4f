"""A control plane and regions of it: edges with a Valkey, a database and signing keys of their own."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from api_gateway.app import SERVICE
from api_gateway.regions.puller import Puller
from shared.http_client import HttpClient
from tests.api_gateway.office import Office, opened
from tests.support.serve import Running, running
from tests.support.wait import eventually

# Of all snapshots, what an edge itself takes.
OBEYED = ("keys", "kills", "policy")
PULLS = {"id": "eu", "sub": "service:eu", "dom": "system", "obj": "admin:regions", "act": "pull"}


@contextlib.asynccontextmanager
async def centre_at(directory: Path, **more: Any) -> AsyncIterator[Office]:
    async with opened(directory / "centre", {"rules": [PULLS]}, **more) as office:
        yield office


@contextlib.asynccontextmanager
async def region_at(
    directory: Path, plane: str, key: str, *, policy: dict[str, Any] | None = None, **region: Any
) -> AsyncIterator[Running]:
    sections = {
        "control": {"plane": plane},
        "policy": policy or {},
        "api_gateway": {"region": {"key": "${REGION_KEY}", **region}},
    }
    async with running(SERVICE, sections, directory / "eu", environ={"REGION_KEY": key}) as edge:
        yield edge


def puller_of(region: Running) -> Puller:
    puller: Puller = region.app.state.puller
    return puller


async def asked(
    edge: Running, method: str, path: str, body: Any = None, *, key: str
) -> tuple[int, dict[str, Any]]:
    """One call of an edge's admin API."""
    http = HttpClient()
    headers = [("authorization", f"Bearer {key}"), ("content-type", "application/json")]
    sent = b"" if body is None else msgspec.json.encode(body)
    try:
        url = f"{edge.url}/admin/api{path}"
        async with await http.send(method, url, headers=headers, body=sent) as reply:
            return reply.status, msgspec.json.decode(await reply.read(2**24))
    finally:
        await http.close()


async def obeys(centre: Office, region: Running) -> None:
    """Returns when the region runs what the control plane has published."""

    async def same() -> bool:
        published = await centre.edge.parts.snapshots.published()
        runs = region.parts.snapshots.epochs()
        there = await region.parts.snapshots.published()
        return there == published and runs.items() <= published.items() and len(runs) == len(OBEYED)

    await eventually(same, "the region runs what is published")
