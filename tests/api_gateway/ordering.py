"""An edge before a shop whose orders need a person's consent, and the people who may give it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from shared.approvals import Approval
from tests.api_gateway.office import Office, opened
from tests.support.approving import waiting
from tests.support.providers import ScriptedProvider, whole

POLICY: dict[str, Any] = {
    "rules": [
        {"id": "shopping", "sub": "*", "dom": "acme", "obj": "route:shop", "act": "invoke"},
        {"id": "boss", "sub": "user:boss", "dom": "acme", "obj": "admin:approvals", "act": "*"},
        {"id": "alice", "sub": "user:alice", "dom": "acme", "obj": "admin:approvals", "act": "*"},
        {"id": "agents", "sub": "agent:*", "dom": "acme", "obj": "admin:approvals", "act": "*"},
        {"id": "looker", "sub": "user:looker", "dom": "acme", "obj": "admin:approvals", "act": "read"},
        {"id": "globex", "sub": "user:eve", "dom": "globex", "obj": "admin:approvals", "act": "*"},
    ],
    "approvals": [{"id": "orders", "sub": "*", "dom": "acme", "obj": "route:shop", "act": "*"}],
}


class Shop:
    """The edge's office, the shop behind it, and everybody's keys."""

    def __init__(self, office: Office, provider: ScriptedProvider, keys: dict[str, str]) -> None:
        self.office = office
        self.provider = provider
        self.keys = keys

    async def order(
        self, body: Any, path: str = "/shop/orders", who: str = "user:alice", **headers: str
    ) -> tuple[int, bytes]:
        """Headers are named with underscores."""
        said = {"authorization": f"Bearer {self.keys[who]}", "content-type": "application/json"}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = body if isinstance(body, bytes) else msgspec.json.encode(body)
        url = self.office.edge.url + path
        async with await self.office.http.send("POST", url, headers=list(said.items()), body=sent) as reply:
            return reply.status, await reply.read(2**20)

    async def parked(self, body: Any, **how: Any) -> tuple[asyncio.Task[tuple[int, bytes]], Approval]:
        """An order that waits for a person, and what that person is asked. One at a time."""
        task = asyncio.create_task(self.order(body, **how))
        return task, (await waiting(self.office.edge.parts)).approval


@contextlib.asynccontextmanager
async def shop(directory: Path, **approvals: Any) -> AsyncIterator[Shop]:
    async with contextlib.AsyncExitStack() as stack:
        provider = await stack.enter_async_context(ScriptedProvider())
        provider.will(whole(b'{"sold": true}'))
        route = {"name": "shop", "prefix": "/shop", "urls": [provider.base_url.removesuffix("/v1")]}
        edge = {"routes": [route]}
        opening = opened(directory, POLICY, api_gateway=edge, approvals=approvals)
        office = await stack.enter_async_context(opening)
        who = ("user:alice", "user:boss", "user:looker", "agent:planner")
        keys = {sub: await office.key(sub, "acme") for sub in who}
        keys["user:eve"] = await office.key("user:eve", "globex")
        yield Shop(office, provider, keys)
