"""What this gateway signs for authorization servers: who it is itself, and for whom it asks (RFC 7523).

Signed with the service's own key, of a type that none of our own verifiers takes.
"""

from mcp_gateway.credentials.credential import Owner
from shared.clock import Clock
from shared.identity.signing import Signer
from shared.identity.token import nested
from shared.ledger.entry import new_id

_SECONDS = 60


class Assertions:
    """`issuer` is the name under which authorization servers know this gateway."""

    def __init__(self, signer: Signer, clock: Clock, issuer: str) -> None:
        self._signer = signer
        self._clock = clock
        self._issuer = issuer

    def of_client(self, client_id: str, audience: str) -> str:
        """Proof of being the client `client_id`, for the token endpoint `audience`."""
        return self._signed({"iss": client_id, "sub": client_id}, audience)

    def of_subject(self, owner: Owner, audience: str) -> str:
        """Who asks for a token: the user as `sub`, whoever acts for them nested in `act`."""
        tenant, sub, *actors = owner
        claims: dict[str, object] = {"iss": self._issuer, "sub": sub, "tenant": tenant}
        if act := nested(tuple(actors) or (sub,)):
            claims["act"] = act
        return self._signed(claims, audience)

    def _signed(self, claims: dict[str, object], audience: str) -> str:
        now = int(self._clock.now())
        timed = {"aud": audience, "iat": now, "exp": now + _SECONDS, "jti": new_id()}
        return self._signer.outward(claims | timed)
