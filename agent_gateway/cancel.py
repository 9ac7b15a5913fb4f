"""What a kill leaves behind is tidied up: the task that its call had started is cancelled at the agent.

A client that merely leaves cancels nothing: in A2A a task goes on without its listeners.
"""

import asyncio

from agent_gateway.route import Route, Target
from shared.account import Flight
from shared.errors import Killed
from shared.http_client import HttpClient
from shared.ledger.entry import Outcome

_REPLY_CAP = 1_048_576
_HEADER_SECONDS = 1.5
_LOOKS, _LOOK_SECONDS = 8, 0.1


async def cancel_if_killed(flight: Flight, http: HttpClient, route: Route, target: Target, task: str) -> None:
    """Sends CancelTask for `task` ("" where none is known or it has ended) if a kill ended this flight."""
    # What answers in an agent's place ends with its call.
    if not task or target.agent.bridge is not None or not await _killed(flight):
        return
    cancellation = route.cancellation(target, task)
    async with await http.send(
        "POST",
        cancellation.url,
        headers=cancellation.headers,
        body=cancellation.body,
        header_timeout=_HEADER_SECONDS,
        pinned=cancellation.pinned,
    ) as reply:
        await reply.read(_REPLY_CAP)


async def _killed(flight: Flight) -> bool:
    """Whether a kill ended it. The edge may have obeyed first and left us before we had heard of it."""
    if flight.entry.outcome is Outcome.KILLED:
        return True
    for _ in range(_LOOKS):
        try:
            flight.check()
        except Killed:
            return True
        await asyncio.sleep(_LOOK_SECONDS)
    return False
