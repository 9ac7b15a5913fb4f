"""Parameters in headers: what we write is what the official SDK reads, and the other way round."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared import inbound
from msgspec import Raw

from mcp_gateway import mirrors

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
        "deep": {"type": "object", "properties": {"on": {"type": "boolean", "x-mcp-header": "On"}}},
        "plain": {"type": "string"},
    },
}
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "region": st.text(max_size=20),
        "count": st.integers(-(2**53), 2**53),
        "deep": st.fixed_dictionaries({}, optional={"on": st.booleans()}),
        "plain": st.text(max_size=5),
    },
)


@given(st.text(max_size=40))
def test_a_value_survives_the_header(value: str) -> None:
    header = mirrors.encoded(value)
    assert mirrors.decoded(header) == value
    assert inbound.decode_header_value(header) == value
    assert header == inbound.encode_header_value(value)


@pytest.mark.parametrize("header", ["=?base64?x?=", "=?base64?YQ?=", "=?base64?/w==?=", "=?base64?YR==?="])
def test_a_value_that_is_wrapped_badly_is_nothing(header: str) -> None:
    assert mirrors.decoded(header) is None


@given(ARGUMENTS)
def test_the_official_server_accepts_our_headers(arguments: dict[str, Any]) -> None:
    sent = dict(mirrors.headers(mirrors.mirrors(SCHEMA), arguments))
    assert inbound.validate_mcp_param_headers(SCHEMA, arguments, sent) is None
    assert mirrors.mismatch(mirrors.mirrors(SCHEMA), arguments, sent) is None


@given(ARGUMENTS)
def test_we_accept_the_official_clients_headers(arguments: dict[str, Any]) -> None:
    sent = inbound.mcp_param_headers(inbound.x_mcp_header_map(SCHEMA), arguments)
    lowered = {name.lower(): value for name, value in sent.items()}
    assert mirrors.mismatch(mirrors.mirrors(SCHEMA), arguments, lowered) is None


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({"region": "eu"}, {}),
        ({}, {"mcp-param-region": "eu"}),
        ({"region": "eu"}, {"mcp-param-region": "us"}),
        ({"region": None}, {"mcp-param-region": "eu"}),
        ({"count": 2}, {"mcp-param-count": "3"}),
        ({"deep": {"on": True}}, {"mcp-param-on": "false"}),
        ({"region": "é"}, {"mcp-param-region": "=?base64?w6?="}),
    ],
)
def test_a_header_that_says_something_else_is_found(arguments: dict[str, Any], sent: dict[str, str]) -> None:
    assert mirrors.mismatch(mirrors.mirrors(SCHEMA), arguments, sent) is not None


def test_one_number_may_be_written_in_two_ways() -> None:
    assert mirrors.mismatch(mirrors.mirrors(SCHEMA), {"count": 42}, {"mcp-param-count": "42.0"}) is None


@pytest.mark.parametrize(
    "properties",
    [
        {"a": {"type": "string", "x-mcp-header": "X"}, "b": {"type": "string", "x-mcp-header": "x"}},
        {"a": {"type": "number", "x-mcp-header": "X"}},
        {"a": {"type": "string", "x-mcp-header": "not a token"}},
        {"a": {"type": "string", "x-mcp-header": 7}},
    ],
)
def test_a_tool_with_a_bad_annotation_is_none(properties: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": properties}
    assert mirrors.mirrors(schema) == ()
    assert inbound.find_invalid_x_mcp_header(schema)
    assert not mirrors.well_annotated(Raw(msgspec.json.encode({"name": "t", "inputSchema": schema})))


@pytest.mark.parametrize(
    "definition", [{"inputSchema": SCHEMA}, {}, {"inputSchema": 1}, {"x-mcp-header": ""}]
)
def test_any_other_tool_is_kept(definition: dict[str, Any]) -> None:
    assert mirrors.well_annotated(Raw(msgspec.json.encode({"name": "t", **definition})))


@pytest.mark.parametrize("schema", [None, True, [], {"properties": []}, {"properties": {"a": 1}}])
def test_a_schema_of_an_unexpected_shape_has_none(schema: Any) -> None:
    assert mirrors.mirrors(schema) == ()
