"""What the tests of the token endpoint stand on."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import strategies as st

from api_gateway.app import SERVICE
from api_gateway.control import Control
from api_gateway.oauth.exchange import Wanted
from shared.http_client import HttpClient
from shared.identity.keys import KeyRecord
from shared.identity.principal import Bounds, Caller, ChainBudget
from shared.identity.signing import Signer
from shared.identity.token import (
    DELEGATION,
    caller_from_delegation,
    delegation_claims,
    identity_claims,
)
from shared.ledger.entry import new_id
from shared.limits.branch import share_of
from shared.policy.scope import in_scope
from tests.support.serve import Running, running, someone
from tests.support.wait import eventually

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"


TYPE = "urn:ietf:params:oauth:token-type:access_token"


RULES = [
    {"sub": "*", "dom": "acme", "obj": "route:oauth", "act": "invoke"},
    {"sub": "user:alice", "dom": "acme", "obj": "agent:planner", "act": "vouch"},
    {"sub": "*", "dom": "acme", "obj": "agent:helper", "act": "delegate"},
    {"sub": "agent:sly", "dom": "acme", "obj": "agent:helper", "act": "delegate", "eft": "deny"},
]


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    json: Any


class TokenGate:
    """The edge, and the agent gateway's key in the hands of the test."""

    def __init__(self, edge: Running, agents: Signer, http: HttpClient) -> None:
        self.edge = edge
        self.agents = agents
        self.http = http
        self.control: Control = edge.app.state.control

    def token(self, *actors: str, audience: str = "api_gateway", ttl: int = 600, **caller: Any) -> str:
        """What agent_gateway would have handed the last of `actors`."""
        claims = delegation_claims(
            caller.pop("whole", None) or self.caller(*actors, **caller),
            issuer="agent_gateway",
            audience=audience,
            entry_id=caller.get("parent", "") or new_id(),
            trace=None,
            ttl=ttl,
        )
        return self.agents.sign(claims, typ=DELEGATION)

    def caller(self, *actors: str, bounds: Bounds | None = None, **caller: Any) -> Caller:
        found = someone(*(actors or ("user:alice", "agent:planner")), **caller)
        return msgspec.structs.replace(found, bounds=bounds or Bounds())

    async def key(self, sub: str, tenant: str = "acme", **more: Any) -> str:
        secret, _ = await self.control.create_key(KeyRecord(id="", hash="", sub=sub, tenant=tenant, **more))
        return secret

    async def ask(self, subject: str, *, header: str = "", **fields: Any) -> Answer:
        wanted = {"grant_type": GRANT, "subject_token": subject, "subject_token_type": TYPE} | fields
        return await self.post("/oauth/token", header=header, **wanted)

    async def post(self, path: str, *, header: str = "", **fields: Any) -> Answer:
        """A form, sent with this `authorization`."""
        headers = [("content-type", "application/x-www-form-urlencoded")]
        if header:
            headers.append(("authorization", header))
        sent = urlencode(fields, doseq=True).encode()
        async with await self.http.send(
            "POST", f"{self.edge.url}{path}", headers=headers, body=sent
        ) as reply:
            got = {name.decode(): value.decode() for name, value in reply.headers}
            return Answer(reply.status, got, msgspec.json.decode(await reply.read(65_536)))

    async def got(self, subject: str, **fields: Any) -> Caller:
        """The caller that a successful exchange makes."""
        answer = await self.ask(subject, **fields)
        assert answer.status == 200, answer.json
        return caller_from_delegation(await self.claims(answer.json["access_token"]))

    async def claims(self, token: str) -> dict[str, Any]:
        return await self.edge.parts.verifier.verify(token, audience="api_gateway", typ=DELEGATION)


@contextlib.asynccontextmanager
async def token_gate(
    directory: Path, issuers: Sequence[dict[str, Any]] = (), **shared: Any
) -> AsyncIterator[TokenGate]:
    """`issuers` are identity providers, `shared` other sections."""
    agents = Signer.load_or_create(directory / "agents", "agent_gateway")
    jwks = directory / "agents" / "jwks.json"
    jwks.write_bytes(agents.jwks())
    config = {
        "policy": {"rules": RULES},
        "identity": {
            "keys_dir": str(directory / "edge"),
            "trust": {"agent_gateway": str(jwks)},
            "issuers": list(issuers),
        },
        **shared,
    }
    http = HttpClient()
    try:
        async with running(SERVICE, config, directory) as edge:
            await eventually(
                lambda: {"keys", "kills", "policy"} <= edge.parts.snapshots.epochs().keys(), "the start"
            )
            yield TokenGate(edge, agents, http)
    finally:
        await http.close()


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[TokenGate]:
    async with token_gate(tmp_path) as gate:
        yield gate


def _forged(gate: TokenGate, how: str) -> str:
    good = gate.token(chain="c1")
    header, payload, signature = good.split(".")
    other = gate.token(chain="c2").split(".")
    identity = identity_claims(
        gate.caller(), issuer="agent_gateway", audience="api_gateway", entry_id="", trace=None
    )
    stranger = Signer("agent_gateway")
    claims = delegation_claims(gate.caller(), issuer="agent_gateway", entry_id="", trace=None, ttl=60)
    return {
        "audience": gate.token(audience="partner"),
        "type": gate.agents.sign(identity, typ="txn+jwt"),
        "issuer": stranger.sign(claims, typ=DELEGATION),
        "signature": f"{header}.{payload}.{other[2]}",
        "chain": f"{header}.{other[1]}.{signature}",
        "expired": gate.token(ttl=-60),
        "garbage": "a.b.c",
        "unknown key": "gsk_nobody",
    }[how]


_PATTERNS = st.sampled_from(
    ["*", "model:*", "model:small", "model:s*", "tool:*", "tool:git/*", "tool:git/read", "agent:*", "*:*"]
)


_WANTED = st.builds(
    Wanted,
    scope=st.lists(_PATTERNS, max_size=3).map(tuple),
    targets=st.lists(_PATTERNS, max_size=2).map(tuple),
    seconds=st.none() | st.integers(0, 100_000),
    depth=st.none() | st.integers(0, 9),
    share=st.just("") | st.floats(0, 1).map(lambda share: share_of(ChainBudget(micros=1000), share)),
)


_STEPS = st.lists(st.tuples(_WANTED, st.sampled_from(["", "agent:b", "agent:c", "agent:d"])), max_size=8)


_NAMES = ("model:small", "model:sx", "model:big", "tool:git/read", "tool:git/x", "tool:fs/x", "agent:a")


_LONGEST, _START = 3600, 1_800_000_000


def _never_wider(before: Caller, after: Caller) -> None:
    assert after.chain == before.chain
    assert after.actors[: len(before.actors)] == before.actors
    for name in _NAMES:
        assert in_scope(before.principal.scope, name) or not in_scope(after.principal.scope, name)
    if before.bounds.depth is not None:
        assert after.bounds.depth is not None
        assert after.bounds.depth <= before.bounds.depth
    assert after.bounds.shares[: len(before.bounds.shares)] == before.bounds.shares
    assert after.budget == before.budget


class _Stopped:
    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> float:
        return float(self._now)
