"""Identity tokens: what one of our services tells the next about its caller. The edge never takes one."""

from collections.abc import Collection

from shared.errors import Unauthenticated
from shared.identity.principal import Caller
from shared.identity.token import HEADER, IDENTITY, caller_from_identity
from shared.identity.verify import Verifier


class IdentityToken:
    """`audience` is the service that runs here, `issuers` are those that may speak for callers."""

    places = frozenset((HEADER.encode(),))

    def __init__(
        self, verifier: Verifier, audience: str, *, issuers: Collection[str] = ("api_gateway",)
    ) -> None:
        self._verifier = verifier
        self._audience = audience
        self._issuers = frozenset(issuers)

    async def authenticate(self, credential: str) -> Caller | None:
        claims = await self._verifier.verify(credential, audience=self._audience, typ=IDENTITY)
        if claims["iss"] not in self._issuers:
            raise Unauthenticated("this token's issuer may not speak for callers here")
        return caller_from_identity(claims)
