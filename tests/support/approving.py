"""The person who decides, for tests of one service: a policy that asks for them, and what waits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from shared.approvals import Filed, State
from shared.background import cancelled
from shared.errors import Unavailable
from shared.parts import Parts
from tests.support.serve import Edge
from tests.support.wait import eventually

BY = "user:bob"


async def asks(edge: Edge, parts: Parts, resource: str, **approval: str) -> None:
    """From now on everything is allowed, and `resource` with a person's consent."""
    rule = {"id": "all", "sub": "*", "dom": "*", "obj": "*", "act": "*"}
    asking = {"id": "asks", "sub": "*", "dom": "*", "obj": resource, "act": "*", **approval}
    await edge.publish(parts, "policy", {"rules": [rule], "approvals": [asking]})


async def waiting(parts: Parts) -> Filed:
    """The one call that waits for a person."""

    async def one() -> list[Filed]:
        found = [filed async for filed in parts.book.newest(None) if filed.word.state == "pending"]
        return found if len(found) == 1 else []

    [found] = await eventually(one, "a call that waits for a person")
    return found


async def decide(parts: Parts, state: State = "approved", why: str = "") -> str:
    """Decides on the one call that waits; its id."""
    filed = await waiting(parts)
    assert await parts.book.decide(filed.approval.id, state, BY, why) == "decided"
    return filed.approval.id


@contextlib.asynccontextmanager
async def approving(parts: Parts) -> AsyncIterator[None]:
    """Somebody is there who approves what comes to be waited for, even if the state store goes away."""

    async def approve() -> None:
        while True:
            with contextlib.suppress(Unavailable):
                await decide(parts)
                return

    person = asyncio.create_task(approve())
    try:
        yield
    finally:
        await cancelled(person)


async def state(parts: Parts, approval: str) -> str:
    filed = await parts.book.find(approval)
    return filed.word.state if filed is not None else ""


async def asked(parts: Parts) -> list[Any]:
    """Everything that anybody was ever asked."""
    return [filed.approval async for filed in parts.book.newest(None)]
