"""Another replica of an opened gateway, with the same servers, the same Redis and the same edge."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from mcp_gateway.app import SERVICE
from tests.mcp_gateway.gateway import Gateway, rule
from tests.support.serve import running


@contextlib.asynccontextmanager
async def replica_of(
    first: Gateway, directory: Path, redis: str, servers: Mapping[str, Any], **section: Any
) -> AsyncIterator[Gateway]:
    config = {
        "mcp_gateway": {"servers": dict(servers), "refresh_seconds": 0.01} | section,
        "policy": {"rules": [rule()]},
    }
    async with running(SERVICE, config, directory, edge=first.edge, redis=redis) as service:
        yield Gateway(first.edge, service, first.http)
