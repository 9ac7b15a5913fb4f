"""Tokens of the identity providers that an operator has named: people who signed in, workloads with an
account there. Such a token starts a chain, as a key does, and is good for as long as it says.
"""

from collections.abc import Collection

from shared.authenticators.credential import KEY_PLACES
from shared.identity.issuers import Issuers
from shared.identity.principal import Caller, ChainBudget
from shared.ledger.entry import new_id


class Oidc:
    """`budget` is what any one chain may do. The tenants of `reserved` are an issuer's to name only where the
    configuration spells them out.
    """

    places = KEY_PLACES

    def __init__(
        self,
        issuers: Issuers,
        budget: ChainBudget = ChainBudget(),  # noqa: B008  it is frozen
        *,
        reserved: Collection[str] = (),
    ) -> None:
        self._issuers = issuers
        self._budget = budget
        self._reserved = frozenset(reserved)

    async def authenticate(self, credential: str) -> Caller | None:
        return await self.caller(credential) if credential.count(".") == 2 else None

    async def caller(self, token: str) -> Caller | None:
        """Whom `token` names, at the start of a new chain; None where its issuer is none of ours. Raises
        Unauthenticated, Unavailable.
        """
        principal = await self._issuers.principal(token, self._reserved)
        if principal is None:
            return None
        return Caller(
            principal=principal,
            actors=(principal.sub,),
            chain=new_id(),
            credential="oidc",
            budget=self._budget,
        )
