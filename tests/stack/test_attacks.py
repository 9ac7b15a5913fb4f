"""What a malicious client, agent or tenant tries at a running stack, and does not get."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.config.load import SERVICES
from shared.identity.principal import Caller, Principal, Trace
from shared.identity.signing import Signer
from shared.identity.token import identity_claims
from shared.ledger.entry import new_id
from tests.stack.conftest import World
from tests.stack.puppet import perform
from tests.support.answer import Answer

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(180),
]

CHAT = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}
A2A = {"a2a-version": "1.0"}
INNER = {
    "llm_gateway": ("/v1/chat/completions", CHAT, {}),
    "mcp_gateway": (
        "/mcp",
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"accept": "application/json, text/event-stream"},
    ),
    "agent_gateway": (
        "/agents/planner",
        {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": "x"}},
        A2A,
    ),
}


def claims(audience: str, **changes: Any) -> dict[str, Any]:
    caller = Caller(
        principal=Principal(sub="user:alice", tenant="acme"),
        actors=("user:alice",),
        chain=new_id(),
        credential="key",
    )
    trace = Trace(trace_id="a" * 32, span_id="b" * 16)
    made = identity_claims(
        caller, issuer="api_gateway", audience=audience, entry_id=new_id(), trace=trace, ttl=60
    )
    return {**made, **changes}


async def inner(world: World, service: str, token: str, header: str = "txn-token") -> Answer:
    path, body, headers = INNER[service]
    sent = {**headers, header: token}
    return await world.stack.send("POST", world.stack.url_of(service) + path, body=body, headers=sent)


def rpc(method: str, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


@pytest.mark.parametrize("service", INNER)
async def test_identity_tokens_that_are_not_the_edges_own_for_this_service_are_refused(
    world: World, service: str, tmp_path: Path
) -> None:
    edge = Signer.load_or_create(world.stack.directory / "keys", "api_gateway")
    other = next(name for name in INNER if name != service)
    forger = Signer.load_or_create(tmp_path, "api_gateway")
    agents = Signer.load_or_create(world.stack.directory / "keys", "agent_gateway")
    now = int(claims(service)["iat"])
    good = edge.sign(claims(service), typ="txn+jwt")
    head, payload, signature = good.split(".")
    widened = edge.sign(claims(service, tenant="globex"), typ="txn+jwt").split(".")[1]
    attempts = {
        "forged": forger.sign(claims(service), typ="txn+jwt"),
        "expired": edge.sign(claims(service, iat=now - 300, exp=now - 200), typ="txn+jwt"),
        "for another service": edge.sign(claims(other), typ="txn+jwt"),
        "of another type": edge.sign(claims(service), typ="delegation+jwt"),
        "of another issuer": agents.sign(claims(service, iss="agent_gateway"), typ="txn+jwt"),
        "with another payload": ".".join((head, widened, signature)),
        "without a signature": f"{head}.{payload}.",
        "no token": "nonsense",
    }
    refused = {name: (await inner(world, service, token)).status for name, token in attempts.items()}
    assert refused == dict.fromkeys(attempts, 401)
    assert (await inner(world, service, good)).status != 401
    assert (await inner(world, service, good, "authorization")).status == 401


async def test_identity_claimed_from_outside_counts_for_nothing(world: World) -> None:
    """Bob sends a perfectly good identity token of Alice's along with his key."""
    edge = Signer.load_or_create(world.stack.directory / "keys", "api_gateway")
    tokens = {service: edge.sign(claims(service), typ="txn+jwt") for service in INNER}
    assert (
        await world.stack.send(
            "POST", "/v1/chat/completions", body=CHAT, headers={"txn-token": tokens["llm_gateway"]}
        )
    ).status == 401
    key = await world.key("user:bob")
    headers = {
        "txn-token": tokens["llm_gateway"],
        "x-gatestack-chain": "forged",
        "x-forwarded-user": "user:alice",
        "x-user-id": "user:alice",
        "baggage": "user=alice",
    }
    answer = await world.stack.send("POST", "/v1/chat/completions", key=key, body=CHAT, headers=headers)
    assert answer.status == 200
    chain = answer.headers["x-gatestack-chain"]
    assert chain != "forged"
    rows = await world.stack.entries(chain, 2)
    assert {tuple(row["actors"]) for row in rows} == {("user:bob",)}


async def test_a_delegation_token_is_good_for_its_own_chain_at_the_edge_and_nowhere_else(
    world: World,
) -> None:
    _, chain = await world.steps(await world.key(), "planner", {"model": "fast"})
    token = world.agents["planner"].calls()[-1].bearer
    for service in INNER:
        assert (await inner(world, service, token)).status == 401
        assert (await inner(world, service, token, "authorization")).status == 401
    bob = await world.key("user:bob")
    both = {"authorization": f"Bearer {token}", "x-api-key": bob}
    assert (await world.stack.send("POST", "/v1/chat/completions", body=CHAT, headers=both)).status == 401
    head, payload, signature = token.split(".")
    wider = json.loads(msgspec.json.encode(_decoded(payload)))
    wider["chain"] = ["user:alice"]
    tampered = ".".join((head, _encoded(wider), signature))
    assert (await world.stack.send("POST", "/v1/chat/completions", key=tampered, body=CHAT)).status == 401
    # Whoever holds it acts as planner for Alice in that chain: planner may not add, though Alice may.
    [model, tool] = json.loads(
        await perform(
            world.url,
            token,
            json.dumps([{"model": "fast"}, {"tool": "tools__add", "arguments": {"a": 1, "b": 1}}]),
        )
    )
    assert model == {"ok": "hello"}
    assert "error" in tool
    used = await world.stack.send("POST", "/v1/chat/completions", key=token, body=CHAT)
    assert used.headers["x-gatestack-chain"] == chain


def _decoded(part: str) -> Any:
    import base64

    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def _encoded(value: Any) -> str:
    import base64

    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_a_tool_that_the_caller_may_not_use_looks_like_one_that_does_not_exist(world: World) -> None:
    key = await world.key("user:bob")
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }

    async def call(name: str) -> Answer:
        params = {"name": name, "arguments": {"a": 1, "b": 2}, "_meta": meta}
        headers = {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": "tools/call",
            "mcp-name": name,
        }
        return await world.stack.send(
            "POST", "/mcp", key=key, body=rpc("tools/call", params), headers=headers
        )

    refused, unknown = await call("tools__add"), await call("tools__adx")
    assert refused.status == unknown.status
    assert _anonymous(refused.json, "tools__add") == _anonymous(unknown.json, "tools__adx")


async def test_a_foreign_task_looks_like_one_that_does_not_exist(world: World) -> None:
    alice, bob = await world.key(), await world.key("user:bob")
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "wait"}]}
    started = await world.stack.send(
        "POST",
        "/agents/patient",
        key=alice,
        body=rpc("SendMessage", {"message": message, "configuration": {"returnImmediately": True}}),
        headers=A2A,
    )
    task = started.json["result"]["task"]["id"]

    async def ask(key: str, method: str, identity: str) -> Any:
        return (
            await world.stack.send(
                "POST", "/agents/patient", key=key, body=rpc(method, {"id": identity}), headers=A2A
            )
        ).json

    assert (await ask(alice, "GetTask", task))["result"]["id"] == task
    for method in ("GetTask", "CancelTask"):
        foreign, missing = await ask(bob, method, task), await ask(bob, method, "0" * len(task))
        assert foreign["error"]["code"] == -32001
        assert _anonymous(foreign, task) == _anonymous(missing, "0" * len(task))
    assert "result" in await ask(alice, "CancelTask", task)


def _anonymous(answer: Any, name: str) -> str:
    """An answer without what has to differ: the name asked for and our own id of the call."""
    return re.sub(r"[0-9a-f]{26}", "", json.dumps(answer).replace(name, ""))


PATHS = {
    "api_gateway": "/ /v1/models /v1/chat/completions /mcp /servers/tools/mcp /agents /agents/planner "
    "/agents/planner/.well-known/agent-card.json /admin/ /admin/api/keys /admin/api/kills /admin/api/spend "
    "/admin/api/chains/x /admin/api/policy/explain /anything /healthz/x",
    "llm_gateway": "/ /v1/models /v1/models/fast /v1/chat/completions /v1/anything /anything",
    "mcp_gateway": "/ /mcp /mcp/ /servers/tools/mcp /servers/nobody/mcp /anything",
    "agent_gateway": "/ /agents /agents/planner /agents/planner/.well-known/agent-card.json /anything",
}


@pytest.mark.parametrize("service", SERVICES)
async def test_nothing_but_the_public_pages_answers_strangers(world: World, service: str) -> None:
    url = world.stack.url_of(service)
    for path in PATHS[service].split():
        for method in ("GET", "POST", "DELETE", "PUT", "OPTIONS"):
            body: dict[str, Any] | None = {} if method in ("POST", "PUT") else None
            assert (await world.stack.send(method, url + path, body=body)).status == 401, (method, path)
    for path in ("/healthz", "/readyz", "/metrics", "/.well-known/jwks.json"):
        answer = await world.stack.send("GET", url + path)
        assert answer.status == 200
        assert b"alice" not in answer.body
        assert b"acme" not in answer.body
        assert b'"d"' not in answer.body


async def test_a_scope_narrows_what_a_key_may_do_behind_every_route(world: World) -> None:
    key = await world.key(scope=["model:*"])
    assert (await world.stack.send("POST", "/v1/chat/completions", key=key, body=CHAT)).status == 200
    refused = await world.stack.send(
        "POST", "/agents/planner", key=key, body=rpc("SendMessage", {"message": {}}), headers=A2A
    )
    assert "error" in refused.json
    [answer] = json.loads(
        await perform(world.url, key, json.dumps([{"tool": "tools__echo", "arguments": {"text": "x"}}]))
    )
    assert "error" in answer
