"""A gateway with a bridge called `poet` to a scripted chat endpoint, and what is said to it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from shared.identity.principal import Caller
from tests.agent_gateway.gateway import Answer, Gateway, gateway, message, request
from tests.support.providers import ScriptedProvider


@contextlib.asynccontextmanager
async def poet(
    directory: Path, provider: ScriptedProvider, *, section: dict[str, Any] | None = None, **bridge: Any
) -> AsyncIterator[Gateway]:
    entry = {
        "credential": "none",
        "headers": {"Authorization": "${POET_KEY}"},
        "bridge": {"kind": "chat", "model": "verse", "url": provider.base_url, **bridge},
    }
    entries = {"agents": {"poet": entry}, **(section or {})}
    async with gateway(directory, section=entries, environ={"POET_KEY": "Bearer own-secret"}) as gate:
        yield gate


async def said(gate: Gateway, text: str = "hi", *, caller: Caller | None = None, **fields: Any) -> Any:
    """The task that comes of one blocking message."""
    answer = await gate.call("poet", "SendMessage", message(text, **fields), caller)
    assert "result" in answer.json, answer.body
    return answer.json["result"]["task"]


def text_of(task: Any) -> str:
    return "".join(part["text"] for part in task["artifacts"][0]["parts"])


async def operation(gate: Gateway, method: str, task: str, caller: Caller | None = None) -> Answer:
    return await gate.post("poet", request(method, {"id": task}), caller=caller)
