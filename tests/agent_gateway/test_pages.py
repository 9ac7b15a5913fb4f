"""The pages beside the protocol: cards and the directory, for those who may see them."""

from pathlib import Path

import pytest
from a2a.client.errors import AgentCardResolutionError

from tests.agent_gateway.gateway import EDGE_URL, gateway, message
from tests.support.agents import Echo, agent
from tests.support.serve import someone

CARD = "/agents/writer/.well-known/agent-card.json"


async def test_a_card_leads_clients_to_the_edge(tmp_path: Path) -> None:
    async with agent(Echo(), "the writer") as writer, gateway(tmp_path, writer=writer) as gate:
        answer = await gate.get(CARD)
        assert answer.status == 200
        assert answer.json["name"] == "the writer"
        assert answer.json["supportedInterfaces"][0]["url"] == f"{EDGE_URL}/agents/writer"
        assert writer.url.encode() not in answer.body
        assert answer.headers["cache-control"].startswith("private")
        await gate.row(resource="agent:writer", action="read", decision="allow", outcome="completed")


async def test_a_client_that_has_the_card_is_told_so(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        first = await gate.get(CARD)
        again = await gate.get(CARD, if_none_match=first.headers["etag"])
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert (await gate.get(CARD, if_none_match='"older"')).status == 200


@pytest.mark.parametrize("action", ["read", "invoke"])
async def test_whoever_may_read_or_use_an_agent_may_see_its_card(tmp_path: Path, action: str) -> None:
    rules = [{"sub": "user:alice", "dom": "acme", "obj": "agent:writer", "act": action}]
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, reader=writer, rules=rules) as gate:
        assert (await gate.get(CARD)).status == 200
        for caller in (someone("user:bob"), someone(tenant="other"), someone("user:alice", "agent:planner")):
            answer = await gate.get(CARD, caller)
            assert (answer.status, answer.code) == (403, -32000)
        assert (await gate.get(CARD.replace("writer", "reader"))).status == 403
        await gate.row(outcome="refused", decision="deny", resource="agent:reader", action="read")


async def test_an_agent_that_does_not_exist_looks_like_one_that_is_refused(tmp_path: Path) -> None:
    rules = [{"sub": "user:alice", "dom": "acme", "obj": "agent:writer", "act": "*"}]
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, reader=writer, rules=rules) as gate:
        refused = await gate.get(CARD.replace("writer", "reader"))
        missing = await gate.get(CARD.replace("writer", "raeder"))
        assert refused.status == missing.status == 403
        assert refused.message.replace("reader", "raeder") == missing.message
        refused = await gate.call("reader", "SendMessage", message())
        missing = await gate.call("raeder", "SendMessage", message())
        assert refused.code == missing.code == -32000
        assert refused.message.replace("reader", "raeder") == missing.message


async def test_whoever_may_use_all_agents_is_told_that_one_does_not_exist(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        answer = await gate.get(CARD.replace("writer", "reader"))
        assert (answer.status, answer.message) == (404, "no agent is called reader here")
        with pytest.raises(AgentCardResolutionError):
            async with gate.client("reader"):
                pass


async def test_the_directory_lists_what_the_caller_may_use(tmp_path: Path) -> None:
    rules = [
        {"sub": "user:alice", "dom": "acme", "obj": "agent:writer", "act": "invoke"},
        {"sub": "user:alice", "dom": "acme", "obj": "agent:reader", "act": "read"},
        {"sub": "user:bob", "dom": "acme", "obj": "agent:*", "act": "cancel"},
    ]
    async with (
        agent(Echo()) as one,
        gateway(tmp_path, writer=one, reader=one, mailer=one, rules=rules) as gate,
    ):
        answer = await gate.get("/agents")
        listed = {item["name"]: item for item in answer.json["agents"]}
        assert set(listed) == {"reader", "writer"}
        assert listed["writer"]["url"] == f"{EDGE_URL}/agents/writer"
        assert listed["writer"]["card"] == f"{EDGE_URL}{CARD}"
        assert (await gate.get("/agents/", someone("user:bob"))).json == {"agents": []}
        await gate.row(resource="agent:*", action="list", outcome="completed")


async def test_an_agent_that_does_not_answer_has_no_card(tmp_path: Path) -> None:
    async with agent(Echo()) as writer:
        pass
    async with gateway(tmp_path, writer=writer) as gate:
        answer = await gate.get(CARD)
        assert answer.status == 502
        await gate.row(outcome="failed", reason="upstream_unreachable")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", CARD, 405),
        ("POST", "/agents", 405),
        ("GET", "/agents/writer", 405),
        ("DELETE", "/agents/writer/", 405),
        ("GET", "/", 404),
        ("POST", "/agents/writer/message:think", 404),
        ("GET", "/agents/writer/message:send", 405),
        ("GET", "/agents/writer/.well-known/other", 404),
        ("GET", "/agents/.well-known/agent-card.json", 404),
        ("POST", "/agents/WRITER", 404),
        ("POST", "/admin/api/keys", 404),
    ],
)
async def test_what_is_not_served_says_so(tmp_path: Path, method: str, path: str, status: int) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        answer = await gate.post("", b"{}", method=method, path=path)
        assert answer.status == status
        assert answer.code != 0
        await gate.row(outcome="refused", status=status)
