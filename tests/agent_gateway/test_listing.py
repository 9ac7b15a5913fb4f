"""How clients may ask for tasks in a state: by name, by number, or in the words for any."""

from pathlib import Path
from typing import Any

import pytest

from tests.agent_gateway.gateway import gateway, message
from tests.support.agents import Parts, agent


@pytest.mark.parametrize(
    ("status", "count"),
    [
        ("TASK_STATE_COMPLETED", 1),
        (3, 1),
        ("TASK_STATE_UNSPECIFIED", 1),
        (0, 1),
        ("", 1),
        (None, 1),
        ("TASK_STATE_WORKING", 0),
        (2, 0),
    ],
)
async def test_a_state_is_understood_however_it_is_written(tmp_path: Path, status: Any, count: int) -> None:
    async with agent(Parts()) as writer, gateway(tmp_path, writer=writer) as gate:
        assert (await gate.call("writer", "SendMessage", message())).code == 0
        listed = (await gate.call("writer", "ListTasks", {"status": status})).json["result"]
        assert (len(listed["tasks"]), listed["totalSize"]) == (count, count)


@pytest.mark.parametrize("status", ["completed", 99, True, []])
async def test_a_state_that_is_none_is_refused(tmp_path: Path, status: Any) -> None:
    async with agent(Parts()) as writer, gateway(tmp_path, writer=writer) as gate:
        assert (await gate.call("writer", "ListTasks", {"status": status})).code == -32602
