"""The agent gateway as tests meet it: a real service, the edge that vouches for callers, official clients
in front.

async with gateway(tmp_path, writer=writer) as gate:
    async with gate.client("writer") as client: ...
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.helpers import get_stream_response_text, new_text_part
from a2a.types import Message, Role, SendMessageRequest

from agent_gateway.app import SERVICE
from agent_gateway.call import Wire
from shared import sse
from shared.http_client import HttpClient, Reply
from shared.identity.principal import Caller
from shared.ledger.row import Row
from tests.support import answer
from tests.support.agents import RunningAgent
from tests.support.serve import Edge, Running, running, someone

EDGE_URL = "http://edge.test"
ALL: list[dict[str, str]] = [{"sub": "*", "dom": "*", "obj": "agent:*", "act": "*"}]
JSON = ("content-type", "application/json")
REDIS = "embedded"
"""Where every gateway's state is."""


class Answer(answer.Answer, frozen=True):
    @property
    def code(self) -> int:
        """The JSON-RPC error's code, 0 where there is none."""
        return int(self.json.get("error", {}).get("code", 0))

    @property
    def message(self) -> str:
        return str(self.json["error"]["message"])


class Events:
    """The events of a stream as they arrive, byte for byte."""

    def __init__(self, reply: Reply) -> None:
        self.kind = reply.header("content-type")
        self._chunks = reply.chunks()
        self._splitter = sse.SseSplitter()
        self._events: list[bytes] = []

    async def take(self, count: int) -> list[bytes]:
        """The next `count` events; fewer where the stream ends before."""
        while len(self._events) < count:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                break
            self._events += self._splitter.feed(chunk)
        taken, self._events = self._events[:count], self._events[count:]
        return taken


class Gateway:
    def __init__(self, service: Running, edge: Edge, http: HttpClient) -> None:
        self.service = service
        self.edge = edge
        self.parts = service.parts
        self.url = service.url
        self.http = http

    def token(self, caller: Caller | None = None, **how: Any) -> str:
        return self.edge.token(caller or someone(), **{"audience": "agent_gateway", **how})

    async def open(
        self,
        agent: str,
        body: Any,
        *,
        caller: Caller | None = None,
        headers: dict[str, str] | None = None,
        method: str = "POST",
        path: str = "",
    ) -> Reply:
        """One raw request as the edge would send it on for `caller`; the answer's body is still to be
        read.
        """
        sent = {"content-type": "application/json", "a2a-version": "1.0", "txn-token": self.token(caller)}
        sent |= headers or {}
        payload = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.http.send(
            method, self.url + (path or f"/agents/{agent}"), headers=list(sent.items()), body=payload
        )

    async def post(self, agent: str, body: Any, **how: Any) -> Answer:
        async with await self.open(agent, body, **how) as reply:
            return await Answer.of(reply)

    async def get(self, path: str, caller: Caller | None = None, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with await self.open("", b"", method="GET", path=path, caller=caller, headers=sent) as reply:
            return await Answer.of(reply)

    async def call(self, agent: str, method: str, params: Any, caller: Caller | None = None) -> Answer:
        return await self.post(agent, request(method, params), caller=caller)

    @contextlib.asynccontextmanager
    async def stream(
        self, agent: str, body: Any = None, caller: Caller | None = None
    ) -> AsyncIterator[Events]:
        """A stream of the agent's, until the block is left."""
        body = body or request("SendStreamingMessage", message())
        async with await self.open(agent, body, caller=caller) as reply:
            assert reply.status == 200
            yield Events(reply)

    @contextlib.asynccontextmanager
    async def client(
        self,
        agent: str,
        caller: Caller | None = None,
        *,
        streaming: bool = False,
        bearer: str = "",
        wire: Wire = "JSONRPC/1.0",
    ) -> AsyncIterator[Client]:
        """The official client, which knows nothing but the agent's address at the edge and a credential;
        of the interfaces in the card it finds only the one that is `wire`.
        """
        binding, version = wire.split("/")
        transport = _Edge(self, caller or someone(), bearer)
        async with httpx.AsyncClient(transport=transport, timeout=10) as http:
            card = await A2ACardResolver(http, f"{EDGE_URL}/agents/{agent}").get_agent_card()
            wanted = [
                one
                for one in card.supported_interfaces
                if (one.protocol_binding, one.protocol_version) == (binding, version)
            ]
            del card.supported_interfaces[:]
            card.supported_interfaces.extend(wanted)
            config = ClientConfig(
                httpx_client=http, streaming=streaming, supported_protocol_bindings=[binding]
            )
            yield ClientFactory(config).create(card)

    async def row(self, tenant: str = "acme", **fields: Any) -> Row:
        """The last row of the ledger; it is checked against `fields`."""
        last = (await self.service.rows(1, tenant))[-1]
        assert {name: getattr(last, name) for name in fields} == fields
        return last


class _Edge(httpx.AsyncHTTPTransport):
    """What lies between a client and the gateway: the edge's address, and an identity instead of a
    credential.
    """

    def __init__(self, gate: Gateway, caller: Caller, bearer: str) -> None:
        super().__init__()
        self._target = httpx.URL(gate.url)
        self._headers = {"authorization": f"Bearer {bearer}"} if bearer else {"txn-token": gate.token(caller)}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.host == "edge.test"
        request.url = request.url.copy_with(host=self._target.host, port=self._target.port)
        request.headers.update(self._headers)
        return await super().handle_async_request(request)


@contextlib.asynccontextmanager
async def gateway(
    directory: Path,
    *,
    rules: list[dict[str, str]] | None = None,
    settings: dict[str, dict[str, Any]] | None = None,
    section: dict[str, Any] | None = None,
    shared: dict[str, Any] | None = None,
    environ: dict[str, str] | None = None,
    **agents: RunningAgent,
) -> AsyncIterator[Gateway]:
    """The service with these agents. `settings` adds to an agent's entry, `section` to the service's,
    `shared` at the top.
    """
    edge = Edge(directory)
    entries = {
        name.replace("__", "-"): {"url": agent.url, **(settings or {}).get(name, {})}
        for name, agent in agents.items()
    }
    config: dict[str, Any] = {
        "policy": {"rules": ALL if rules is None else rules},
        # Agents that call back come straight here: there is no edge in between.
        "identity": {
            "keys_dir": str(directory / "keys"),
            "trust": {"api_gateway": str(edge.jwks), "agent_gateway": "http://127.0.0.1:1/unused"},
        },
        "agent_gateway": {
            "public_url": EDGE_URL,
            "accept": ["identity", "delegation"],
            "agents": entries,
            **(section or {}),
        },
        **(shared or {}),
    }
    http = HttpClient()
    try:
        async with running(SERVICE, config, directory, edge=edge, redis=REDIS, environ=environ) as service:
            yield Gateway(service, edge, http)
    finally:
        await http.close()


def request(method: str, params: Any, request_id: Any = "r1") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def message(text: str = "hi", **fields: Any) -> dict[str, Any]:
    """The parameters of SendMessage."""
    return {"message": {"messageId": uuid4().hex, "role": "ROLE_USER", "parts": [{"text": text}], **fields}}


async def said(client: Client, text: str = "hi", **fields: Any) -> list[str]:
    """Every text that the agent behind an official client answers."""
    return [
        get_stream_response_text(response) async for response in client.send_message(asked(text, **fields))
    ]


def asked(text: str = "hi", **fields: Any) -> SendMessageRequest:
    content = Message(message_id=uuid4().hex, role=Role.ROLE_USER, parts=[new_text_part(text)], **fields)
    return SendMessageRequest(message=content)
