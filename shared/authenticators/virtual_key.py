"""Virtual keys: a long random secret that names a principal and starts a chain."""

from shared.authenticators.credential import KEY_PLACES
from shared.errors import Unauthenticated
from shared.identity.keys import PREFIX, KeyRecord, Keyring
from shared.identity.principal import Bounds, Caller, ChainBudget, Principal
from shared.ledger.entry import new_id


class VirtualKey:
    """`budget` is what any one chain may do; a key's own budget only narrows it."""

    places = KEY_PLACES

    def __init__(self, keyring: Keyring, budget: ChainBudget = ChainBudget()) -> None:  # noqa: B008  it is frozen
        self._keyring = keyring
        self._budget = budget

    async def authenticate(self, credential: str) -> Caller | None:
        return self.caller(credential) if credential.startswith(PREFIX) else None

    def caller(self, secret: str) -> Caller:
        """Whom `secret` stands for, at the start of a new chain. Raises Unauthenticated, Unavailable."""
        record = self._keyring.find(secret)
        if record is None:
            raise Unauthenticated("this key is not known here")
        return self._caller(record)

    def _caller(self, record: KeyRecord) -> Caller:
        principal = Principal(
            sub=record.sub,
            tenant=record.tenant,
            team=record.team,
            project=record.project,
            tier=record.tier,
            scope=record.scope,
        )
        return Caller(
            principal=principal,
            actors=(record.sub,),
            chain=new_id(),
            credential="key",
            key=record.id,
            budget=record.budget.narrowed(self._budget),
            bounds=Bounds(limits=record.limits),
        )
