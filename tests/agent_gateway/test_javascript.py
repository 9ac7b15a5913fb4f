"""The official JavaScript SDK, as a client of the gateway and as an agent behind it, over every wire."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from a2a.types import CancelTaskRequest, GetTaskRequest, TaskState

from agent_gateway.call import Wire
from tests.agent_gateway.gateway import EDGE_URL, asked, gateway
from tests.agent_gateway.push.hook import ALLOW, webhook
from tests.agent_gateway.test_matrix import WIRES, last, spoken, started
from tests.support.agents import RunningAgent, Versatile, agent, card_of
from tests.support.wait import eventually

JS = Path(__file__).parent.parent / "js"
NODE = shutil.which("node")
SECONDS = 50.0  # a busy machine takes fifteen to start Node
pytestmark = [
    pytest.mark.skipif(NODE is None, reason="there is no node here to run JavaScript with"),
    pytest.mark.skipif(
        not (JS / "node_modules" / "@a2a-js").is_dir(), reason="npm ci has not been run in tests/js"
    ),
    pytest.mark.timeout(120),
]
COMPLETED, ASKS, WANTS_TO_KNOW_WHO = 3, 6, 8
BYTES = "AAH/"


async def _run(script: str, **environ: str) -> Any:
    assert NODE is not None
    process = await asyncio.create_subprocess_exec(
        NODE,
        str(JS / script),
        env=os.environ | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()[-3000:]
    return msgspec.json.decode(out)


@contextlib.asynccontextmanager
async def _agent() -> AsyncIterator[RunningAgent]:
    assert NODE is not None
    process = await asyncio.create_subprocess_exec(
        NODE, str(JS / "a2a_agent.mjs"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(SECONDS):
            port = int(await process.stdout.readline())
        url = f"http://127.0.0.1:{port}/"
        yield RunningAgent(url, f"{url}.well-known/agent-card.json", [])
    finally:
        process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def _written(language: str, theirs: Wire) -> AsyncIterator[tuple[RunningAgent, dict[str, str]]]:
    """An agent with all that the SDK of a language can do, and the entry that asks it in `theirs`."""
    if language == "Python":
        extended = card_of("the same, extended", "http://10.0.0.7/", version=theirs.rpartition("/")[2])
        extended.capabilities.extended_agent_card = True
        async with agent(Versatile(), extended=extended) as writer:
            yield writer, spoken(writer, theirs)
        return
    async with _agent() as writer:
        entry = spoken(writer, theirs) | {"card_url": writer.card_url}
        if theirs.startswith("JSONRPC"):
            entry["url"] = f"{writer.url}rpc"
        yield writer, entry


@pytest.mark.parametrize("theirs", WIRES)
@pytest.mark.parametrize("language", ["Python", "JavaScript"])
async def test_the_client_does_all_it_can_over_every_wire(
    tmp_path: Path, language: str, theirs: Wire
) -> None:
    async with (
        webhook() as hook,
        _written(language, theirs) as (writer, entry),
        gateway(tmp_path, writer=writer, settings={"writer": entry}, section=ALLOW) as gate,
    ):
        found = await _run(
            "a2a_client.mjs",
            GATEWAY=gate.url,
            PUBLIC=EDGE_URL,
            TOKEN=gate.token(),
            WIRES=" ".join(WIRES),
            HOOK=hook.url,
            BYTES=BYTES if _takes_bytes(language, theirs) else "",
        )
        await eventually(lambda: {one.path for one in hook.heard} >= {f"/{ours}" for ours in WIRES})
    for ours in WIRES:
        assert found[ours] == _expected(language, theirs), ours


def _takes_bytes(language: str, theirs: Wire) -> bool:
    """The Python SDK's server takes the bytes of a file for base64 once more over HTTP+JSON in 0.3."""
    return (language, theirs) != ("Python", "HTTP+JSON/0.3")


def _expected(language: str, theirs: Wire) -> dict[str, Any]:
    """What the client gets, whichever wire it speaks."""
    data = {"n": 1.5, "deep": {"list": [1, "two", None, True]}}
    raw = [["raw", BYTES]] if _takes_bytes(language, theirs) else []
    return {
        "kinds": ["task", "statusUpdate", True, "statusUpdate"],
        "got": [True, COMPLETED, True],
        "text": "go" if language == "Python" else "echo: go",
        "back": [["url", "https://files.example/b.pdf"], ["data", data], *raw],
        "listed": [True],
        "extended": "the same, extended",
        "input": [ASKS, COMPLETED, True],
        "auth": [WANTS_TO_KNOW_WHO, COMPLETED, True],
        "long": [True, COMPLETED],
        "missing": "TaskNotFoundError",
        "made": ["c1", True, "c1"],
        "configs": [2, 1],
        "again": ["task", "statusUpdate"],
    }


@pytest.mark.parametrize("theirs", WIRES)
@pytest.mark.parametrize("ours", ["JSONRPC/1.0", "HTTP+JSON/0.3"])
async def test_an_agent_is_reached(tmp_path: Path, ours: Wire, theirs: Wire) -> None:
    async with _agent() as writer:
        entry = spoken(writer, theirs) | {"card_url": writer.card_url}
        if theirs.startswith("JSONRPC"):
            entry["url"] = f"{writer.url}rpc"
        async with (
            gateway(tmp_path, writer=writer, settings={"writer": entry}, section=ALLOW) as gate,
            gate.client("writer", streaming=True, wire=ours) as client,
        ):
            events = await last(client.send_message(asked("go")))
            assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
            task = await client.get_task(GetTaskRequest(id=events[0].task.id))
            assert task.artifacts[0].parts[0].text == "echo: go"
            waiting = await started(client)
            cancelled = await client.cancel_task(CancelTaskRequest(id=waiting.id))
            assert cancelled.status.state == TaskState.TASK_STATE_CANCELED
            events = await last(client.send_message(asked("ask")))
            assert events[-1].status_update.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
