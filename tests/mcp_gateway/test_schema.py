"""Arguments against a tool's schema."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from mcp_gateway.schema import Arguments

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "pattern": "^/srv/"},
        "limit": {"type": "integer", "maximum": 10},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["path"],
    "additionalProperties": False,
}


def _arguments(schema: Any) -> Arguments:
    return Arguments(Raw(msgspec.json.encode(schema)))


def test_good_arguments_have_no_problem() -> None:
    assert _arguments(SCHEMA).problem({"path": "/srv/a", "limit": 3, "tags": ["x"]}) is None


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({}, "arguments: "),
        ({"path": 7}, "arguments.path: "),
        ({"path": "/etc/x"}, "arguments.path: "),
        ({"path": "/srv/a", "limit": 11}, "arguments.limit: "),
        ({"path": "/srv/a", "tags": ["a", 2]}, "arguments.tags[1]: "),
        ({"path": "/srv/a", "more": 1}, "arguments: "),
    ],
)
def test_the_problem_names_its_place(given: dict[str, Any], place: str) -> None:
    assert (_arguments(SCHEMA).problem(given) or "").startswith(place)


def test_the_problem_does_not_repeat_the_value() -> None:
    found = _arguments(SCHEMA).problem({"path": "the-secret-value"})
    assert found is not None
    assert "the-secret-value" not in found


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"type": 7},
        {"properties": {"a": {"pattern": "("}}},
        [],
    ],
)
def test_a_schema_that_cannot_be_used_is_left_to_its_server(schema: Any) -> None:
    found = _arguments(schema)
    assert not found.usable
    assert found.problem({"a": 1}) is None


def test_a_tool_without_a_schema_takes_anything() -> None:
    assert Arguments(Raw()).problem({"a": 1}) is None
