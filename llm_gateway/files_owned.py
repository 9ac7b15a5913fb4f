"""Whose are the files that a call names? Only their owner's call goes on, to the provider that keeps them."""

from collections.abc import Sequence

from llm_gateway.endpoints.owned import Owned
from llm_gateway.pin import Pin
from llm_gateway.reach import in_account
from shared.errors import BadRequest
from shared.identity.principal import Caller

_MOST = 100


class OwnedFiles:
    """`account_ids`: a name of nobody's may still be one of the operator's account, which callers share."""

    def __init__(self, owned: Owned, *, account_ids: bool) -> None:
        self._owned = owned
        self._account_ids = account_ids

    async def pin(self, caller: Caller, names: Sequence[str]) -> Pin:
        """Raises BadRequest for what is not there and for what is another's alike, and Unavailable."""
        if not names:
            return Pin()
        if len(names) > _MOST:
            raise BadRequest(f"file_id: names more than {_MOST} files", data={"param": "file_id"})
        found = await self._owned.known(caller, "file", names)
        if len(found) < len(names) and not self._account_ids:
            raise in_account()
        providers = {held.provider for held in found.values()}
        if len(providers) > 1:
            raise BadRequest(
                "file_id: these files are kept by different providers, and a call goes to one; send the "
                "content of some of them",
                data={"param": "file_id"},
            )
        files = {name: held.upstream for name, held in found.items()}
        return Pin(provider=next(iter(providers), ""), files=files)
