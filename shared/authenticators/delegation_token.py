"""Delegation tokens: what an agent was handed with a call, and calls back with as its own API key."""

from collections.abc import Collection

from shared.authenticators.credential import KEY_PLACES
from shared.errors import Unauthenticated
from shared.identity.issuer_token import outside
from shared.identity.jws import typ_of
from shared.identity.keys import Keyring
from shared.identity.principal import Caller
from shared.identity.token import DELEGATION, caller_from_delegation
from shared.identity.verify import Verifier


class DelegationToken:
    """With a `keyring`, a chain ends when the key that it was started with is revoked, expired or gone.

    `issuers` may delegate: agent_gateway with each call, and the edge where tokens are exchanged.
    """

    places = KEY_PLACES

    def __init__(
        self,
        verifier: Verifier,
        audience: str = "api_gateway",
        *,
        keyring: Keyring | None = None,
        issuers: Collection[str] = ("agent_gateway",),
    ) -> None:
        self._verifier = verifier
        self._audience = audience
        self._keyring = keyring
        self._issuers = frozenset(issuers)

    async def authenticate(self, credential: str) -> Caller | None:
        if credential.count(".") != 2 or (typ_of(credential) != DELEGATION and outside(credential)):
            return None
        return await self.caller(credential)

    async def caller(self, token: str) -> Caller:
        """Whom `token` lets act, and for whom. Raises Unauthenticated, Unavailable."""
        claims = await self._verifier.verify(token, audience=self._audience, typ=DELEGATION)
        if claims["iss"] not in self._issuers:
            raise Unauthenticated("this token's issuer may not delegate")
        caller = caller_from_delegation(claims)
        if self._keyring is not None and caller.key:
            self._keyring.check(caller.key)
        return caller
