"""A2A 0.3 to 1.0 and back, compared with what is on file; the official models read either side of it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from a2a.compat.v0_3 import conversions, types
from a2a.types import StreamResponse
from google.protobuf.json_format import ParseDict
from msgspec import Raw

from agent_gateway.bindings.earlier import lowered, operations, raised
from agent_gateway.methods import EARLIER, METHODS
from shared.errors import BadRequest, UpstreamBroken

GOLDEN = Path(__file__).parents[3] / "golden" / "a2a"
EVENTS = msgspec.json.decode((GOLDEN / "events.json").read_bytes())
REQUESTS = msgspec.json.decode((GOLDEN / "requests.json").read_bytes())
_MODELS: dict[str, Any] = {
    "task": (types.Task, conversions.to_core_task),
    "message": (types.Message, conversions.to_core_message),
    "status-update": (types.TaskStatusUpdateEvent, conversions.to_core_task_status_update_event),
    "artifact-update": (types.TaskArtifactUpdateEvent, conversions.to_core_task_artifact_update_event),
}


@pytest.mark.parametrize("case", EVENTS, ids=[case["name"] for case in EVENTS])
def test_an_event_is_raised_and_lowered(case: dict[str, Any]) -> None:
    assert raised.event(case["earlier"]) == case["later"]
    assert lowered.event(case["later"]) == case["earlier"]


@pytest.mark.parametrize("case", EVENTS, ids=[case["name"] for case in EVENTS])
def test_the_sdk_agrees(case: dict[str, Any]) -> None:
    model, convert = _MODELS[case["earlier"]["kind"]]
    ours = ParseDict(case["later"], StreamResponse())
    assert getattr(ours, str(ours.WhichOneof("payload"))) == convert(model.model_validate(case["earlier"]))


@pytest.mark.parametrize("case", REQUESTS, ids=[case["method"] for case in REQUESTS])
def test_parameters_are_raised_and_lowered(case: dict[str, Any]) -> None:
    method = METHODS[EARLIER[case["method"]]]
    given = operations.raised_params(method, operations.encoded(case["earlier"]))
    assert msgspec.json.decode(msgspec.json.encode(given)) == case["later"]
    back = operations.lowered_params(method, operations.encoded(case["later"]))
    assert msgspec.json.decode(msgspec.json.encode(back)) == case["earlier"]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"message": None},
        {"message": {"role": "user"}},
        {"message": {"role": "nobody", "parts": []}},
        {"message": {"role": "user", "parts": [{"kind": "odd"}]}},
        {"message": {"role": "user", "parts": [{"text": "no kind"}]}},
        {"message": {"role": "user", "parts": "x"}},
    ],
)
def test_what_is_not_of_0_3_is_the_clients_mistake(params: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as found:
        operations.raised_params(METHODS["SendMessage"], operations.encoded(params))
    assert found.value.code == -32602


@pytest.mark.parametrize("result", [b"{}", b"[]", b"null", b'"x"', b'{"kind":"task"}', b'{"kind":"odd"}'])
def test_what_is_not_of_0_3_is_the_agents_mistake(result: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        operations.raised_result(METHODS["SendMessage"], Raw(result))
