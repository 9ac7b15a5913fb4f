"""A2A 0.3 over HTTP+JSON leaves out what is false: an empty configuration says that nobody waits."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from agent_gateway.bindings import paths
from agent_gateway.bindings.earlier.rest import raised_params


@pytest.mark.parametrize(
    ("configuration", "returns"), [({}, True), ({"blocking": True}, False), ({"blocking": False}, True)]
)
def test_whether_to_wait_is_read_as_protocol_buffers_write_it(configuration: Any, returns: bool) -> None:
    message = {"messageId": "m", "role": "ROLE_USER", "content": [{"text": "hi"}]}
    given = {
        name: Raw(msgspec.json.encode(value))
        for name, value in {"message": message, "configuration": configuration}.items()
    }
    found = raised_params(paths.read("POST", "/v1/message:send"), given, "")
    assert msgspec.json.decode(found["configuration"])["returnImmediately"] is returns


def test_without_a_configuration_the_answer_is_waited_for() -> None:
    message = {"messageId": "m", "role": "ROLE_USER", "content": [{"text": "hi"}]}
    given = {"message": Raw(msgspec.json.encode(message))}
    assert "configuration" not in raised_params(paths.read("POST", "/v1/message:send"), given, "")
