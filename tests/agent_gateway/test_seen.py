"""What an agent's result tells about tasks is found in every form that A2A 1.0 has for it."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from agent_gateway.methods import METHODS
from agent_gateway.seen import Seen, seen_in
from shared.errors import UpstreamBroken


def _seen(method: str, result: Any) -> Seen:
    return seen_in(METHODS[method], Raw(msgspec.json.encode(result)))


def _task(state: Any = "TASK_STATE_WORKING") -> dict[str, Any]:
    return {
        "id": "t",
        "contextId": "c",
        "status": {"state": state},
        "artifacts": [{"parts": [{"text": "x"}]}],
    }


@pytest.mark.parametrize("method", ["SendMessage", "SendStreamingMessage", "SubscribeToTask"])
def test_a_task_inside_a_response(method: str) -> None:
    assert _seen(method, {"task": _task()}) == Seen(task="t", context="c", state="working")


@pytest.mark.parametrize("method", ["GetTask", "CancelTask"])
def test_a_task_that_is_the_result(method: str) -> None:
    found = _seen(method, _task("TASK_STATE_CANCELED"))
    assert found == Seen(task="t", context="c", state="canceled", ended="canceled")


def test_a_message_is_the_last_word() -> None:
    assert _seen("SendMessage", {"message": {"messageId": "m", "contextId": "c"}}).ended == "message"


def test_updates_of_a_stream() -> None:
    status = {"taskId": "t", "contextId": "c", "status": {"state": "TASK_STATE_COMPLETED"}}
    assert _seen("SendStreamingMessage", {"statusUpdate": status}).ended == "completed"
    artifact = {"taskId": "t", "contextId": "c", "artifact": {"artifactId": "a", "parts": []}}
    assert _seen("SendStreamingMessage", {"artifactUpdate": artifact}) == Seen(task="t", context="c")


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        ("TASK_STATE_FAILED", "failed"),
        ("TASK_STATE_REJECTED", "rejected"),
        (5, "canceled"),
        ("TASK_STATE_INPUT_REQUIRED", ""),
        ("TASK_STATE_AUTH_REQUIRED", ""),
        (6, ""),
        ("TASK_STATE_OF_TOMORROW", ""),
        (None, ""),
    ],
)
def test_which_states_end_a_task(state: Any, ended: str) -> None:
    assert _seen("SendMessage", {"task": _task(state)}).ended == ended


@pytest.mark.parametrize(
    "result",
    [
        {},
        [],
        "text",
        None,
        {"task": "t"},
        {"task": {"id": 7}},
        {"task": {}},
        {"statusUpdate": {}},
        {"more": {}},
    ],
)
def test_what_is_none_of_this_is_broken(result: Any) -> None:
    with pytest.raises(UpstreamBroken):
        _seen("SendStreamingMessage", result)
