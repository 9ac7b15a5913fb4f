"""An operator takes routes out of service and back: by the API and by the command line, at every edge."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api_gateway.maintenance import Maintenance, MaintenanceBoard
from tests.api_gateway.office import Office, opened
from tests.support.wait import eventually

ROUTE = {"name": "shop", "prefix": "/shop", "urls": ["http://127.0.0.1:9"]}
RULE = {"id": "admin", "sub": "user:admin", "dom": "acme", "obj": "admin:*", "act": "*"}


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with opened(tmp_path, {"rules": [RULE]}, api_gateway={"routes": [ROUTE]}) as office:
        yield office


async def status(office: Office, path: str) -> int:
    async with await office.http.send("GET", office.edge.url + path) as reply:
        return reply.status


async def test_a_route_goes_and_comes_back_at_every_edge(office: Office) -> None:
    other = MaintenanceBoard(Maintenance(), office.edge.parts.redis)
    said = await office.say("maintenance", "on", "shop", "--message", "moving house", "--retry-after", "300")
    assert (said.code, said.out) == (0, "out of service: shop\n")
    assert (await status(office, "/shop/x"), await status(office, "/v1/models")) == (503, 401)
    shown = await office.say("maintenance", "show", "--json")
    assert shown.json == {"routes": ["shop"], "message": "moving house", "retry_after_seconds": 300}
    await other.hear()
    assert other.said.routes == ["shop"]
    assert (await office.say("maintenance", "on")).out == "out of service: everything\n"
    assert (await status(office, "/v1/models"), await status(office, "/healthz")) == (503, 200)
    assert (await office.say("maintenance", "off")).out == "out of service: nothing\n"
    assert await status(office, "/shop/x") == 401


async def test_it_hears_the_others(office: Office) -> None:
    other = MaintenanceBoard(Maintenance(), office.edge.parts.redis)
    await other.say(Maintenance(routes=["*"]))

    async def heard() -> bool:
        return await status(office, "/shop/x") == 503

    await eventually(heard, "the word")


async def test_only_operators_of_all_tenants_may_and_only_what_is_there(office: Office) -> None:
    key = await office.key("user:admin", "acme")
    for method, body in (("GET", None), ("PUT", {"routes": ["shop"]})):
        assert (await office.ask(method, "/maintenance", body, key=key)).status == 403
    unknown = await office.ask("PUT", "/maintenance", {"routes": ["shop", "cellar"]})
    assert unknown.status == 400
    assert "cellar" in unknown.body["detail"]
    assert (await office.ask("PUT", "/maintenance", {"route": ["shop"]})).status == 400
    assert await status(office, "/shop/x") == 401
