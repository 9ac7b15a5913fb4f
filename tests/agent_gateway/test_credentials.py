"""Nobody unknown gets past the door, on any path, and only what the operator accepts is a credential."""

from pathlib import Path

import msgspec

from shared.health import PUBLIC_PATHS
from tests.agent_gateway.gateway import Answer, Gateway, gateway, message, request
from tests.support.agents import Echo, agent
from tests.support.serve import Edge, someone

SEND = msgspec.json.encode(request("SendMessage", message()))
PATHS = (
    "/",
    "/agents",
    "/agents/writer",
    "/agents/writer/",
    "/agents/nobody",
    "/agents/writer/.well-known/agent-card.json",
    "/.well-known/agent-card.json",
    "/anything/else",
)


async def _bare(gate: Gateway, path: str, method: str = "POST", **headers: str) -> Answer:
    """A request with these headers and no others."""
    sent = [(name.replace("_", "-"), value) for name, value in headers.items()]
    body = SEND if method == "POST" else b""
    async with await gate.http.send(method, gate.url + path, headers=sent, body=body) as reply:
        found = {name.decode(): value.decode() for name, value in reply.headers}
        return Answer(reply.status, found, await reply.read(65_536))


async def test_every_path_asks_for_a_credential_before_it_says_anything(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        for path in PATHS:
            for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
                answer = await _bare(gate, path, method)
                assert (path, method, answer.status) == (path, method, 401)
                assert answer.headers["www-authenticate"] == "Bearer"
                assert answer.json["error"]["data"][0]["reason"] == "UNAUTHENTICATED"
        for path in PUBLIC_PATHS:
            assert (await _bare(gate, path, "GET")).status in (200, 503)
        assert writer.heard == []


async def test_a_token_for_another_service_another_issuers_or_an_old_one_is_refused(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        strangers = Edge(tmp_path / "strangers")
        tokens = [
            gate.token(audience="llm_gateway"),
            gate.token(audience="api_gateway"),
            gate.token(ttl=-60),
            strangers.token(someone(), audience="agent_gateway"),
            gate.token()[:-4] + "AAAA",
            "not.a.token",
        ]
        for token in tokens:
            answer = await _bare(gate, "/agents/writer", txn_token=token, content_type="application/json")
            assert answer.status == 401
        assert writer.heard == []
        fine = await _bare(gate, "/agents/writer", txn_token=gate.token(), content_type="application/json")
        assert (fine.status, fine.code) == (200, 0)


async def test_alone_it_takes_keys_itself_if_it_is_told_to(tmp_path: Path) -> None:
    section = {"accept": ["identity", "key"]}
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, section=section) as gate:
        secret, record = gate.edge.key()
        await gate.edge.keys(gate.parts, [record])
        json = {"content_type": "application/json"}
        answer = await _bare(gate, "/agents/writer", authorization=f"Bearer {secret}", **json)
        assert (answer.status, answer.code) == (200, 0)
        await gate.row(credential="key", key=record.id, principal="user:alice")
        [heard] = writer.calls()
        assert secret not in str(heard.headers)
        both = await _bare(
            gate, "/agents/writer", authorization=f"Bearer {secret}", txn_token=gate.token(), **json
        )
        assert both.status == 401
    async with agent(Echo()) as writer, gateway(tmp_path / "other", writer=writer) as gate:
        await gate.edge.keys(gate.parts, [record])
        assert (await _bare(gate, "/agents/writer", authorization=f"Bearer {secret}")).status == 401
