"""A gateway for each scenario: one process, one set of parts, a configuration of its own."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import yaml

from mcp_gateway.app import SERVICE
from shared.config import load
from tests.mcp_gateway.conformance.door import Asked
from tests.mcp_gateway.credentials.conftest import KEY
from tests.mcp_gateway.gateway import Gateway
from tests.support.serve import Running, serving, someone


@contextlib.asynccontextmanager
async def started(gateway: Gateway, directory: Path, asked: Asked) -> AsyncIterator[Gateway]:
    """A gateway before the server that the suite has started, which shares all but the configuration in
    `directory` with `gateway`.
    """
    config = yaml.safe_load((directory / SERVICE.name / "gatestack.yaml").read_text())
    config["mcp_gateway"] |= _section(asked)
    path = directory / f"{asked.scenario.replace('/', '-')}.yaml"
    path.write_text(yaml.safe_dump(config))
    secrets = {"KEY": KEY, "CLIENT_SECRET": asked.context.get("client_secret", "")}
    loaded = load(path, SERVICE.name, SERVICE.section, SERVICE.problems, secrets)
    parts = gateway.service.parts
    app = SERVICE.build(loaded, parts)
    async with SERVICE.living(loaded, parts, app), serving(app) as address:
        yield Gateway(gateway.edge, Running(url=address, app=app, parts=parts), gateway.http)


def _section(asked: Asked) -> dict[str, Any]:
    server: dict[str, Any] = {"transport": {"type": "http", "url": asked.url}, "trust": "unpinned"}
    if not asked.scenario.startswith("auth/"):
        return {"servers": {asked.server: server}}
    user = someone().principal
    credential = {"type": "user_oauth", "catalog_as": {"tenant": user.tenant, "sub": user.sub}}
    if "client_id" in asked.context:
        credential |= {"client_id": asked.context["client_id"], "client_secret": "${CLIENT_SECRET}"}
    return {
        "servers": {asked.server: server | {"credential": credential}},
        "oauth": {"sealing_keys": ["${KEY}"], "allow": ["localhost"]},
        "public_url": "http://127.0.0.1",
    }
