"""A request that fits the service's API description while it is looked at, and not when it gets there."""

from pathlib import Path

import pytest
import yaml
from websockets.exceptions import InvalidStatus

from tests.api_gateway.fronted import fronted
from tests.api_gateway.scripted import Script
from tests.api_gateway.test_websocket import dial, echo
from tests.support.serve import serving

MODE = {"name": "X-Mode", "in": "header", "required": True, "schema": {"enum": ["a", "b"]}}
DOCUMENT = {"openapi": "3.1.0", "paths": {"/items": {"get": {"parameters": [MODE]}}}}


async def test_a_header_is_looked_at_as_the_service_gets_it(tmp_path: Path) -> None:
    script, path = Script(), tmp_path / "api.yaml"
    path.write_text(yaml.safe_dump(DOCUMENT))
    route = {"openapi": {"file": str(path)}, "request_headers": {"rename": {"x-kind": "x-mode"}}}
    async with (
        serving(script) as url,
        fronted(tmp_path, {"urls": [url], "strip_prefix": True, **route}) as front,
    ):
        evil = await front.ask("/r0/items", x_mode="a", x_kind="rm -rf")
        fine = await front.ask("/r0/items", x_kind="b")
    assert (evil.status, fine.status) == (400, 200)
    assert [asked.all("x-mode") for asked in script.asked] == [["b"]]


async def test_a_handshake_leads_to_no_path_that_the_description_lacks(tmp_path: Path) -> None:
    path = tmp_path / "api.yaml"
    path.write_text(yaml.safe_dump({"openapi": "3.1.0", "paths": {"/talk": {"get": {}}}}))
    async with echo() as service:
        route = {"urls": [service.url], "strip_prefix": True, "websocket": {}, "openapi": {"file": str(path)}}
        async with fronted(tmp_path, route) as front:
            with pytest.raises(InvalidStatus) as refused:
                await dial(front, "/r0/internal")
            async with dial(front, "/r0/talk") as socket:
                await socket.send("x")
                assert await socket.recv() == "x"
    assert refused.value.response.status_code == 404
    assert service.paths == ["/talk"]
