"""A person's yes to one call, in the hands of that call."""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self


class Consent:
    """`async with consent:` the last that may still refuse the call: where it does, the decision is given
    back, so that nobody has to be asked twice. `approval` is "" where nobody was asked.
    """

    __slots__ = ("_give_back", "approval", "by")

    def __init__(
        self, approval: str = "", by: str = "", give_back: Callable[[str], Awaitable[None]] | None = None
    ) -> None:
        self.approval = approval
        self.by = by
        self._give_back = give_back

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and self._give_back is not None:
            await self._give_back(self.approval)


NOT_ASKED = Consent()
