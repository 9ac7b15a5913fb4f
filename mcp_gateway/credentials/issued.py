"""Credentials that need nobody's consent at the time of the call: a token is asked for, remembered, and asked
for again when it is not accepted. Which question is asked is each kind's own.
"""

from collections.abc import Awaitable, Callable

from mcp_gateway.credentials.credential import HeaderList, Owner, bearer
from mcp_gateway.credentials.tokens import Token, TokenCache

Ask = Callable[[Owner], Awaitable[Token]]


class Issued:
    """`ask` gets a token for an owner, `key` is everything that makes it another one than somebody else's.
    The gateway itself asks as `catalog`, and goes without where that is ().
    """

    def __init__(
        self, cache: TokenCache, ask: Ask, key: Callable[[Owner], tuple[object, ...]], catalog: Owner = ()
    ) -> None:
        self._cache = cache
        self._ask = ask
        self._key = key
        self._catalog = catalog

    async def headers(self, owner: Owner) -> HeaderList:
        who = owner or self._catalog
        if not who:
            return []
        token = await self._cache.get(self._key(who), lambda: self._ask(who))
        return bearer(token.text)

    async def refused(
        self, owner: Owner, sent: HeaderList, status: int, challenge: str | None, *, last: bool
    ) -> bool:
        who = owner or self._catalog
        if status != 401 or last or not who:
            return False
        for _, value in sent:
            self._cache.drop(self._key(who), str(value).removeprefix("Bearer "))
        return bool(sent)

    async def close(self) -> None:
        pass
