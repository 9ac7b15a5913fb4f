"""Input schemas that want to cost more than they may: patterns that backtrack, references in circles."""

from typing import Any

import pytest

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import http
from tests.support.mcp_shifting import Shifting, tool
from tests.support.serve import serving

EVIL = "a" * 60 + "!"


def doubled(levels: int) -> dict[str, Any]:
    """Definitions of which each holds the next twice: to follow all of them takes 2^levels steps."""
    both = {n: {"allOf": [{"$ref": f"#/$defs/s{n + 1}"}] * 2} for n in range(levels)}
    made: dict[str, Any] = {f"s{n}": part for n, part in both.items()}
    return made | {f"s{levels}": {"type": "string"}}


@pytest.mark.parametrize(
    ("schema", "refused"),
    [
        ({"properties": {"x": {"pattern": "^(a+)+$"}}}, True),
        ({"properties": {"x": {"pattern": "^(a|aa)+$"}}}, True),
        ({"properties": {"x": {"pattern": "(?=(a+)+b)a*"}}}, False),
        ({"patternProperties": {"^(x+)+y$": False}}, False),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, False),
        ({"properties": {"x": {"$ref": "#"}}}, True),
        ({"properties": {"x": {"$ref": "http://127.0.0.1:1/s"}}}, False),
        ({"properties": {"x": {"$ref": "file:///etc/passwd"}}}, False),
        ({"$defs": doubled(16), "properties": {"x": {"$ref": "#/$defs/s0"}}}, False),
    ],
)
@pytest.mark.timeout(60)
async def test_a_schema_costs_its_server_and_nobody_else(opened: Open, schema: Any, refused: bool) -> None:
    server = Shifting(tool("t", inputSchema={"type": "object"} | schema), tool("other"))
    async with serving(server) as url, opened({"s": http(url)}, scan="off") as gateway:
        heard = await gateway.call("s__t", {"x": EVIL})
        assert ("error" in heard.json) is refused, heard.body
        assert (await gateway.call("s__other")).text == "fine"
