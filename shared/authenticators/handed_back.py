"""What the model gateway and the tool gateway hand back to the edge for a caller whom the edge had sent them:
an identity token of theirs, in the place of a key. Nobody else ever holds one that is meant for the edge.
"""

from collections.abc import Collection

from shared.errors import Unauthenticated
from shared.identity.hand_back import AUDIENCE
from shared.identity.jws import typ_of
from shared.identity.keys import Keyring
from shared.identity.principal import Caller
from shared.identity.token import IDENTITY, caller_from_identity
from shared.identity.verify import Verifier


class HandedBack:
    """`issuers` may hand back. A chain ends when the key that it was started with is revoked or expired."""

    places = frozenset((b"authorization",))

    def __init__(
        self,
        verifier: Verifier,
        *,
        keyring: Keyring,
        issuers: Collection[str] = ("llm_gateway", "mcp_gateway"),
    ) -> None:
        self._verifier = verifier
        self._keyring = keyring
        self._issuers = frozenset(issuers)

    async def authenticate(self, credential: str) -> Caller | None:
        if credential.count(".") != 2 or typ_of(credential) != IDENTITY:
            return None
        claims = await self._verifier.verify(credential, audience=AUDIENCE, typ=IDENTITY)
        if claims["iss"] not in self._issuers:
            raise Unauthenticated("this token's issuer may not hand anything back")
        caller = caller_from_identity(claims)
        if caller.key:
            self._keyring.check(caller.key)
        return caller
