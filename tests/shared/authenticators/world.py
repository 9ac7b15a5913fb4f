"""An edge and an inner service, each with its authenticators, and the credentials to try them with."""

from pathlib import Path
from typing import Any

from shared.authenticators import Authenticate
from shared.authenticators.delegation_token import DelegationToken
from shared.authenticators.identity_token import IdentityToken
from shared.authenticators.virtual_key import VirtualKey
from shared.http_client import HttpClient
from shared.identity.keys import KeyRecord, Keyring, new_key
from shared.identity.principal import Caller, ChainBudget
from shared.identity.signing import Signer
from shared.identity.token import DELEGATION, IDENTITY, delegation_claims
from shared.identity.verify import Verifier
from tests.shared.identity import forge
from tests.support.clock import FakeClock
from tests.support.exchange import exchange


class World:
    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock()
        self.edge, self.agents, self.tools = (
            Signer(name, clock=self.clock) for name in ("api_gateway", "agent_gateway", "mcp_gateway")
        )
        trust = {}
        for signer in (self.edge, self.agents, self.tools):
            file = directory / signer.issuer
            file.write_bytes(signer.jwks())
            trust[signer.issuer] = str(file)
        self.verifier = Verifier(trust, http=HttpClient(), clock=self.clock)
        self.secret, fields = new_key()
        self.record = KeyRecord(
            **fields,
            sub="user:alice",
            tenant="acme",
            team="support",
            scope=("model:*",),
            budget=ChainBudget(micros=9),
        )
        self.keyring = Keyring(self.clock, [self.record])
        self.delegation = DelegationToken(self.verifier, keyring=self.keyring)
        self.key = VirtualKey(self.keyring, ChainBudget(micros=50, tool_calls=5))
        self.identity = IdentityToken(self.verifier, "llm_gateway")
        self.at_the_edge = Authenticate((self.delegation, self.key))
        self.inside = Authenticate((self.identity,))
        self.alone = Authenticate((self.identity, self.delegation, self.key))

    def identity_token(self, signer: Signer | None = None, typ: str = IDENTITY, **changed: Any) -> str:
        signer = signer or self.edge
        return signer.sign(forge.identity(self.clock, issuer=signer.issuer, **changed), typ=typ)

    def delegation_token(
        self, signer: Signer | None = None, *, key: str | None = None, typ: str = DELEGATION
    ) -> str:
        signer = signer or self.agents
        caller = forge.alice("agent:planner")
        claims = delegation_claims(
            caller, issuer=signer.issuer, entry_id="f" * 26, trace=forge.TRACE, ttl=900, clock=self.clock
        )
        claims["key"] = self.record.id if key is None else key
        return signer.sign(claims, typ=typ)


async def ask(authenticate: Authenticate, headers: dict[str, str] | list[tuple[str, str]]) -> Caller:
    """What the stage says to a request with these headers; a list may name one header twice."""
    pairs = headers.items() if isinstance(headers, dict) else headers
    one = exchange()
    one.headers = [(name.encode(), value.encode()) for name, value in pairs]
    return await authenticate(one)
