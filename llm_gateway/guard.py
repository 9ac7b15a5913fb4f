"""Content guards, in their order: each may refuse or rewrite a request before any provider sees it, and a
reply before the caller does. Lists, because guards are what an operator adds and reorders.
"""

from collections.abc import Sequence
from typing import Protocol

from llm_gateway.chat import Ask
from shared.ledger.entry import Entry


class Guard(Protocol):
    name: str

    async def inspect(self, ask: Ask, entry: Entry) -> Ask:
        """The request as it may go on. Raises a Refusal; notes what it found in `entry.findings`."""
        ...

    def watch(self, reply: bytes, entry: Entry) -> bytes:
        """The next part of the reply (whole events of a stream, or all of it) as it may go out."""
        ...


async def inspect(ask: Ask, guards: Sequence[Guard], entry: Entry) -> Ask:
    for guard in guards:
        ask = await guard.inspect(ask, entry)
    return ask


def watch(reply: bytes, guards: Sequence[Guard], entry: Entry) -> bytes:
    for guard in guards:
        reply = guard.watch(reply, entry)
    return reply
