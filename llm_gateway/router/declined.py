"""An answer that is a refusal and nothing else, before anybody has seen it: somebody else may be asked, or
it goes out after all.
"""

from collections.abc import AsyncIterator

from llm_gateway.catalog import Target
from llm_gateway.prices import cost
from shared.http_client import Reply
from shared.ledger.entry import Usage


class Declined(Exception):
    """`held` is what has been read of it; of a stream `chunks` are still to come. `usage` is None where the
    provider has not said yet.
    """

    def __init__(
        self,
        target: Target,
        wire: str,
        reply: Reply,
        held: list[bytes],
        chunks: AsyncIterator[bytes] | None,
        usage: Usage | None,
        dropped: tuple[str, ...] = (),
    ) -> None:
        super().__init__(target.name)
        self.target = target
        self.wire = wire
        self.reply = reply
        self.held = held
        self.chunks = chunks
        self.usage = usage
        self.dropped = dropped

    @property
    def micros(self) -> int:
        """What the provider will charge for it."""
        return cost(self.target.price, self.usage) if self.usage is not None else 0

    async def again(self) -> AsyncIterator[bytes]:
        """A stream from its beginning."""
        for chunk in self.held:
            yield chunk
        if self.chunks is not None:
            async for chunk in self.chunks:
                yield chunk
