"""Agents as tools: one for each agent, with a message as its argument. They are asked through the edge on
behalf of the caller; what the agent says on its way is progress, and a call that is cancelled takes its task
along.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from msgspec import Raw

from mcp_gateway.transports import Agents
from mcp_gateway.upstreams import greeting
from mcp_gateway.upstreams.agents_said import Said
from mcp_gateway.upstreams.agents_tool import Asked, definition
from mcp_gateway.upstreams.chores import Chores
from mcp_gateway.upstreams.upstream import Call, Welcome
from shared import jsonrpc, sse
from shared.agent_events import event_of
from shared.agent_list import AgentList
from shared.dialects.a2a import UNSUPPORTED_OPERATION
from shared.errors import GatestackError, UpstreamBroken, UpstreamRefused
from shared.http_client import HttpClient, Reply
from shared.jsonrpc import Envelope
from shared.ledger.entry import new_id

_WELCOME = Welcome(stateless=True, version=greeting.NEWEST, capabilities={"tools": Raw(b"{}")})
_CONNECT_SECONDS = 5.0
_METHODS = ("SendStreamingMessage", "SendMessage")


class AgentsUpstream:
    """`agents` says which there are."""

    def __init__(
        self, name: str, transport: Agents, http: HttpClient, agents: AgentList, *, result_cap: int
    ) -> None:
        self.name = name
        self._edge = transport.url.rstrip("/")
        self._http = http
        self._agents = agents
        self._cap = result_cap
        self._chores = Chores()

    async def welcome(self) -> Welcome:
        return _WELCOME

    async def call(self, call: Call) -> AsyncGenerator[Envelope, None]:
        if call.method != "tools/call":
            yield Envelope(id=jsonrpc.NULL, result=Raw(self._listed()))
            return
        asked, said = Asked.of(call), Said()
        try:
            async with aclosing(self._events(asked, call)) as events:
                async for event in events:
                    if (note := said.heard(event)) is not None:
                        yield note
        except (asyncio.CancelledError, GeneratorExit):
            if said.running:
                self._chores.add(self._cancel(asked.agent, said.task, call))
            raise
        yield Envelope(id=jsonrpc.NULL, result=Raw(said.result()))

    async def close(self) -> None:
        await self._chores.close()

    def _listed(self) -> bytes:
        return msgspec.json.encode({"tools": [definition(agent) for agent in self._agents.all()]})

    async def _events(self, asked: Asked, call: Call) -> AsyncGenerator[bytes, None]:
        """What the agent says, event by event; whole where it cannot stream. Raises UpstreamFault."""
        for method in _METHODS:
            async with await self._post(asked.agent, method, asked.params(), call) as reply:
                if _streams(reply):
                    async with aclosing(self._streamed(reply)) as events:
                        async for event in events:
                            yield event
                    return
                body = await reply.read(self._cap)
            if method == _METHODS[-1] or not _cannot_stream(body):
                yield body
                return

    async def _streamed(self, reply: Reply) -> AsyncGenerator[bytes, None]:
        splitter, seen = sse.SseSplitter(self._cap), 0
        async for chunk in reply.chunks():
            seen += len(chunk)
            if seen > self._cap:
                raise UpstreamBroken(f"the agent answered with more than {self._cap} bytes")
            for event in splitter.feed(chunk):
                if data := sse.data_of(event):
                    yield data

    async def _cancel(self, agent: str, task: str, call: Call) -> None:
        async with await self._post(agent, "CancelTask", msgspec.json.encode({"id": task}), call) as reply:
            await reply.read(self._cap)

    async def _post(self, agent: str, method: str, params: bytes, call: Call) -> Reply:
        if call.on_behalf is None:
            raise UpstreamBroken("an agent is not asked without anybody to ask it for")
        return await self._http.send(
            "POST",
            f"{self._edge}/agents/{agent}",
            headers=[
                ("content-type", "application/json"),
                ("accept", "application/json, text/event-stream"),
                ("a2a-version", "1.0"),
                ("authorization", call.on_behalf()),
            ],
            body=jsonrpc.request(msgspec.json.encode(new_id()), method, params),
            connect_timeout=_CONNECT_SECONDS,
            # Whoever asks knows how long to wait.
            header_timeout=None,
            idle_timeout=None,
        )


def _streams(reply: Reply) -> bool:
    return (reply.header("content-type") or "").startswith("text/event-stream")


def _cannot_stream(body: bytes) -> bool:
    try:
        event_of(body)
    except UpstreamRefused as error:
        return error.code == UNSUPPORTED_OPERATION
    except GatestackError:
        pass
    return False
