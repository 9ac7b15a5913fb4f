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
from tests.agent_gateway.push.hook import ALLOW
from tests.agent_gateway.test_matrix import WIRES, last, spoken, started
from tests.support.agents import RunningAgent, Versatile, agent

JS = Path(__file__).parent.parent / "js"
NODE = shutil.which("node")
SECONDS = 20.0
pytestmark = [
    pytest.mark.skipif(NODE is None, reason="there is no node here to run JavaScript with"),
    pytest.mark.skipif(
        not (JS / "node_modules" / "@a2a-js").is_dir(), reason="npm ci has not been run in tests/js"
    ),
    pytest.mark.timeout(60),
]
COMPLETED, ASKS = 3, 6


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


@pytest.mark.parametrize("theirs", ["JSONRPC/1.0", "HTTP+JSON/0.3"])
@pytest.mark.parametrize("ours", WIRES)
async def test_the_client_does_all_it_can(tmp_path: Path, ours: Wire, theirs: Wire) -> None:
    binding, version = ours.split("/")
    async with (
        agent(Versatile()) as writer,
        gateway(tmp_path, writer=writer, settings={"writer": spoken(writer, theirs)}, section=ALLOW) as gate,
    ):
        found = await _run(
            "a2a_client.mjs",
            GATEWAY=gate.url,
            PUBLIC=EDGE_URL,
            TOKEN=gate.token(),
            BINDING=binding,
            VERSION=version,
            HOOK="http://127.0.0.1:1/hook",
        )
    assert found["kinds"] == ["task", "statusUpdate", "artifactUpdate", "artifactUpdate", "statusUpdate"]
    assert (found["same"], found["text"], found["state"], found["role"]) == (
        True,
        "and more",
        COMPLETED,
        True,
    )
    assert (found["asked"], found["next"]) == (ASKS, [COMPLETED, True])
    assert (found["made"], found["listed"]) == (["c1", "http://127.0.0.1:1/hook"], 1)
    assert found["again"][0] == "task"
    assert found["again"][-1] == "statusUpdate"
    assert found["missing"] == "TaskNotFoundError"


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
