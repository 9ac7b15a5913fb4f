"""Whom a credential stands for that comes in a form, at the `/oauth` endpoints: the three kinds that callers
may have, and what was told them at each kind's own place.
"""

from msgspec import Struct

from api_gateway.slow_down import Refused
from shared.asgi import Exchange
from shared.authenticators import Authenticator
from shared.authenticators.delegation_token import DelegationToken
from shared.authenticators.oidc import Oidc
from shared.authenticators.virtual_key import VirtualKey
from shared.errors import BadRequest, Unauthenticated
from shared.identity.issuer_token import outside
from shared.identity.keys import PREFIX
from shared.identity.principal import Caller


class Bearers(Struct, frozen=True):
    delegation: DelegationToken
    key: VirtualKey
    oidc: Oidc
    refused: Refused

    @property
    def kinds(self) -> tuple[Authenticator, ...]:
        """For the stage that looks for them in headers, in its order."""
        return (self.delegation, self.key, self.oidc)

    async def of(self, credential: str) -> Caller:
        """Raises Unauthenticated, Unavailable."""
        caller = await self.own(credential)
        if caller is not None:
            return caller
        if credential.count(".") != 2:
            raise Unauthenticated("this is neither a key nor a token that is accepted here")
        return await self.delegation.caller(credential)

    async def own(self, credential: str) -> Caller | None:
        """Who proves to be somebody by a key or an identity provider's token; None where it is neither.
        Raises like `of`.
        """
        if credential.startswith(PREFIX):
            return self.key.caller(credential)
        if credential.count(".") == 2 and outside(credential):
            caller = await self.oidc.caller(credential)
            if caller is None:
                raise Unauthenticated("this token's issuer is not trusted here")
            return caller
        return None

    async def client(self, presented: frozenset[str], exchange: Exchange) -> Caller:
        """Who asks, by the one credential that came beside the form's own. Raises BadRequest,
        Unauthenticated (`data`: OAuth's word), LimitExceeded, Unavailable.
        """
        if len(presented) > 1:
            raise BadRequest("this request has two different credentials: send exactly one")
        if not presented:
            raise Unauthenticated(
                "say who you are: send a key as bearer or as client secret", data="invalid_client"
            )
        with self.refused.counted(exchange):
            try:
                return await self.of(next(iter(presented)))
            except Unauthenticated as error:
                raise Unauthenticated(error.detail, data="invalid_client", cause=error.cause) from error
