"""A client's webhook, and a gateway that may call it although it is no public address."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from agent_gateway.push.outbox import Letter
from shared.asgi import Send
from shared.ledger.entry import new_id
from tests.support.agents import Heard, RunningAgent, reply, scripted

ALLOW: dict[str, Any] = {"push": {"allow": ["127.0.0.1/32"], "pause_seconds": 0.01}}


@contextlib.asynccontextmanager
async def webhook(answer: Callable[[int], int] = lambda _: 200) -> AsyncIterator[RunningAgent]:
    """Writes down what comes; `answer` gives the status for the first, second, … request."""
    count = 0

    async def script(_: Heard, send: Send) -> None:
        nonlocal count
        count += 1
        await reply(send, b"", status=answer(count), location="http://127.0.0.1:1/elsewhere")

    async with scripted(script) as running:
        yield running


def config(url: str, **more: Any) -> dict[str, Any]:
    authentication = {"scheme": "Bearer", "credentials": "the client's own"}
    return {"url": url, "token": "t0ken", "authentication": authentication, **more}


def letter(body: str) -> Letter:
    return Letter(id=new_id(), body=body, kind="application/json")


def states(hook: RunningAgent) -> list[str]:
    """The states that a webhook of 1.0 has been told, in order."""
    told = [one.body.get("statusUpdate") or one.body.get("task") for one in hook.heard]
    return [one["status"]["state"].removeprefix("TASK_STATE_") for one in told if one]
