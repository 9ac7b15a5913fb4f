"""Health by protocol: every replica is asked for a task that it cannot have. Any answer in A2A is a sign of
life; an open port is none.
"""

import asyncio

import msgspec

from agent_gateway.bindings.wires import WIRES
from agent_gateway.catalog import Catalog
from agent_gateway.replicas import Place, Replicas
from agent_gateway.route import of_task
from shared.errors import GatestackError, UpstreamBroken
from shared.http_client import HttpClient
from shared.ledger.entry import new_id

_SECONDS = 5.0
_REPLY_CAP = 1_048_576
_AT_ONCE = 8


class Probe:
    """Asks every `seconds` those agents that have more than one address. Nothing goes along but the agent's
    own headers: a probe acts for nobody.
    """

    def __init__(self, http: HttpClient, catalog: Catalog, replicas: Replicas, *, seconds: float) -> None:
        self._http = http
        self._catalog = catalog
        self._replicas = replicas
        self._seconds = seconds

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self.look()

    async def look(self) -> None:
        """One round."""
        some = asyncio.Semaphore(_AT_ONCE)

        async def one(place: Place) -> None:
            async with some:
                if await self.alive(place):
                    self._replicas.answered(place)
                else:
                    self._replicas.failed(place)

        found = [agent for agent in self._catalog if len(agent.replicas) > 1]
        places = [place for agent in found for place in await self._replicas.places(agent)]
        await asyncio.gather(*(one(place) for place in places))

    async def alive(self, place: Place) -> bool:
        """Whether an agent is there that speaks A2A. A refusal of our credentials is life, too."""
        call, wire = of_task("GetTask", f"probe-{new_id()}"), place.endpoint.wire
        params = dict(call.params)
        if place.endpoint.tenant:
            params["tenant"] = msgspec.Raw(msgspec.json.encode(place.endpoint.tenant))
        request = WIRES[wire].request(call, params, place.endpoint.url)
        headers = [("accept", "application/json"), ("a2a-version", wire.rpartition("/")[2])]
        if request.body:
            headers.append(("content-type", request.kind))
        try:
            async with await self._http.send(
                request.method,
                request.url,
                headers=[*headers, *place.agent.headers],
                body=request.body,
                header_timeout=_SECONDS,
                idle_timeout=_SECONDS,
            ) as reply:
                if reply.status in (401, 403):
                    return True
                WIRES[wire].answer(call, await reply.read(_REPLY_CAP), reply.status)
        except UpstreamBroken:
            return False
        except GatestackError:
            return False
        return True
