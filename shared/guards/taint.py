"""What guards find that stays with the chain: it has met texts that try to give orders."""

from types import TracebackType
from typing import Generic

from shared.guards.run import Run
from shared.guards.watching import OccasionT
from shared.identity.principal import Caller
from shared.limits.limiter import Limiter

UNTRUSTED = "content:untrusted"


class Taint(Generic[OccasionT]):
    """`async with taint:` around everything that `run` looks at: the chain is told once, whether the guard
    has stopped it or only watches. Raises Unavailable where it cannot be told.
    """

    def __init__(self, run: Run[OccasionT], limiter: Limiter, caller: Caller) -> None:
        self._run = run
        self._limiter = limiter
        self._tenant, self._chain = caller.principal.tenant, caller.chain
        self._told = False

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._run.untrusted and not self._told:
            self._told = True
            await self._limiter.taint(self._tenant, self._chain, (UNTRUSTED,))
