"""`/readyz` of each of the four services says 503 as soon as its kill list is too old to go by, and 200 when
it is confirmed again.
"""

import contextlib
from functools import partial
from pathlib import Path

import msgspec

from agent_gateway.app import SERVICE as AGENTS
from api_gateway.app import SERVICE as EDGE
from llm_gateway.app import SERVICE as MODELS
from mcp_gateway.app import SERVICE as TOOLS
from shared.http_client import HttpClient
from shared.valkey import EmbeddedValkey
from tests.support.serve import Running, running
from tests.support.wait import eventually

STALE = "the kill list could not be confirmed"


async def told(http: HttpClient, service: Running) -> tuple[int, list[str]]:
    async with await http.send("GET", f"{service.url}/readyz") as reply:
        body = msgspec.json.decode(await reply.read(2**16))
        assert body["ready"] is (reply.status == 200)
        return reply.status, body["problems"]


async def is_ready(http: HttpClient, service: Running) -> bool:
    return await told(http, service) == (200, [])


async def is_stale(http: HttpClient, service: Running) -> bool:
    status, problems = await told(http, service)
    return status == 503 and len(problems) == 1 and problems[0].startswith(STALE)


async def test_every_service_is_ready_only_while_its_kill_list_is_confirmed(tmp_path: Path) -> None:
    valkey, http = EmbeddedValkey(), HttpClient()
    await valkey.start(tmp_path / "state", fsync="everysec")
    # All four as replicas of one set-up have them: one Redis, and the edge's keys.
    keys = {"keys_dir": str(tmp_path / "keys")}
    sections = {"kill": {"max_age_seconds": 2}, "identity": keys}
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(valkey.stop)
        stack.push_async_callback(http.close)
        edge = await stack.enter_async_context(running(EDGE, sections, tmp_path, redis=valkey.url))
        trust = {"trust": {"api_gateway": f"{edge.url}/.well-known/jwks.json"}}
        behind = sections | {"identity": keys | trust}
        services = [edge]
        for service in (MODELS, TOOLS, AGENTS):
            services.append(
                await stack.enter_async_context(running(service, behind, tmp_path, redis=valkey.url))
            )
        for one in services:
            await eventually(partial(is_ready, http, one), f"{one.parts.service} is ready")
        await valkey.stop()
        for one in services:
            await eventually(partial(is_stale, http, one), f"{one.parts.service} is not")
        await valkey.start(tmp_path / "state", fsync="everysec")
        for one in services:
            await eventually(partial(is_ready, http, one), f"{one.parts.service} is again")
