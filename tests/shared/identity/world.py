"""Two trusted issuers with their key sets in files, and the verifier of a service that trusts them."""

from pathlib import Path
from typing import Any

import pytest

from shared.errors import Unauthenticated
from shared.http_client import HttpClient
from shared.identity import jws
from shared.identity.signing import Signer
from shared.identity.token import IDENTITY
from shared.identity.verify import Verifier
from tests.shared.identity import forge
from tests.support.clock import FakeClock


class World:
    """`llm_gateway` is the service that verifies."""

    def __init__(self, directory: Path, http: HttpClient) -> None:
        self.clock = FakeClock()
        self.directory = directory
        self.edge, self.agents = (Signer(name, clock=self.clock) for name in ("api_gateway", "agent_gateway"))
        for signer in (self.edge, self.agents):
            self.publish(signer)
        trust = {signer.issuer: str(directory / signer.issuer) for signer in (self.edge, self.agents)}
        self.verifier = Verifier(trust, http=http, clock=self.clock)

    def publish(self, signer: Signer) -> None:
        (self.directory / signer.issuer).write_bytes(signer.jwks())

    def token(self, signer: Signer | None = None, typ: str = IDENTITY, **changed: Any) -> str:
        signer = signer or self.edge
        return signer.sign(forge.identity(self.clock, issuer=signer.issuer, **changed), typ=typ)

    async def verify(self, token: str, *, audience: str = "llm_gateway", typ: str = IDENTITY) -> jws.Claims:
        return await self.verifier.verify(token, audience=audience, typ=typ)

    async def refuses(self, token: str, why: str | None = None, **expected: str) -> None:
        """Twice: a refusal must not be remembered as anything else."""
        for _ in range(2):
            with pytest.raises(Unauthenticated, match=why):
                await self.verify(token, **expected)
