"""The ids in a request's parameters are read as the agent would read them, or the request is refused."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from agent_gateway.bindings.params import names_of
from agent_gateway.call import Names
from agent_gateway.methods import METHODS
from shared.errors import BadRequest, NotFound


def _names(method: str, params: dict[str, Any]) -> Names:
    raw = {name: Raw(msgspec.json.encode(value)) for name, value in params.items()}
    return names_of(METHODS[method], raw)


def _message(**fields: Any) -> dict[str, Any]:
    return {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}], **fields}}


def test_a_message_names_its_task_its_context_and_the_tasks_it_refers_to() -> None:
    found = _names("SendMessage", _message(taskId="t", contextId="c", referenceTaskIds=["a", "b"]))
    assert found == Names(task="t", context="c", references=("a", "b"))


def test_null_and_absent_are_the_same() -> None:
    assert _names("SendMessage", _message(taskId=None, contextId=None)) == Names()
    assert _names("SendMessage", _message() | {"configuration": None, "metadata": None}) == Names()


@pytest.mark.parametrize("name", ["task_id", "context_id", "reference_task_ids", "message_id"])
def test_the_other_spelling_of_a_field_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="lowerCamelCase") as raised:
        _names("SendMessage", _message(**{name: "t"}))
    assert raised.value.code == -32602


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"message": "hi"},
        {"message": []},
        {"message": None},
        _message(parts="hi"),
        _message(parts=None),
        _message(taskId=1),
        _message(contextId=["c"]),
        _message(referenceTaskIds="t"),
        _message(referenceTaskIds=[1]),
        _message(metadata="m"),
        _message() | {"configuration": "c"},
        _message() | {"metadata": 3},
        _message() | {"history_length": 3},
    ],
)
def test_wrong_types_are_named_as_invalid_parameters(params: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as raised:
        _names("SendStreamingMessage", params)
    assert raised.value.code == -32602


@pytest.mark.parametrize("params", [{}, {"id": ""}, {"id": None}, {"id": 7}, {"id": {}}, {"taskId": "t"}])
def test_a_task_operation_needs_its_tasks_id(params: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as raised:
        _names("GetTask", params)
    assert raised.value.code == -32602


@pytest.mark.parametrize("value", ["t" * 257, "a\nb", "a\x00"])
def test_an_id_that_no_agent_of_ours_ever_gave_is_unknown(value: str) -> None:
    with pytest.raises(NotFound) as raised:
        _names("CancelTask", {"id": value})
    assert raised.value.code == -32001


@pytest.mark.parametrize("name", ["pushNotificationConfig", "pushNotification", "PushConfig"])
def test_a_webhook_hidden_in_a_message_is_refused(name: str) -> None:
    hidden = {name: {"url": "http://169.254.169.254/"}}
    for params in (_message() | {"configuration": hidden}, _message() | hidden):
        with pytest.raises(BadRequest) as raised:
            _names("SendMessage", params)
        assert raised.value.code == -32003
    assert _names("SendMessage", _message() | {"configuration": {name: None}}) == Names()


@pytest.mark.parametrize(
    "params",
    [
        _message(metadata={"skill": "refund"}),
        _message(metadata={"skillId": "refund"}),
        _message() | {"metadata": {"skill": "refund"}},
    ],
)
def test_the_skill_is_what_the_metadata_says(params: dict[str, Any]) -> None:
    assert _names("SendMessage", params).skill == "refund"


def test_metadata_may_hold_anything_else() -> None:
    assert _names("SendMessage", _message(metadata={"skill": {"deep": 1}, "other_name": 2})).skill == ""


@pytest.mark.parametrize("field", ["parts", "referenceTaskIds"])
def test_a_message_can_not_make_us_look_things_up_for_ever(field: str) -> None:
    many = [{"text": ""}] * 100_000 if field == "parts" else ["t"] * 100_000
    with pytest.raises(BadRequest, match="at most"):
        _names("SendMessage", _message(**{field: many}))
