"""What is behind credentials (all but a few pages), and which kinds of them are accepted."""

from pathlib import Path

import pytest
from starlette.routing import Route

from shared.health import PUBLIC_PATHS
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, request
from tests.support.providers import ScriptedProvider
from tests.support.serve import Edge, someone

PATHS = ("/v1/chat/completions", "/v1/models", "/v1/models/fast", "/nothing", "/", "/v1/models/")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
async def test_nothing_answers_without_credentials(plain: Gateway, path: str, method: str) -> None:
    heard = await plain.hear(request(), headers={}, path=path, method=method)
    assert (heard.status, heard.error["code"]) == (401, "invalid_api_key")
    [row] = await plain.service.rows(1, tenant="")
    assert (row.outcome, row.reason, row.tenant) == ("refused", "unauthenticated", "")


async def test_every_route_is_public_or_behind_credentials(plain: Gateway) -> None:
    routes = [route for route in plain.service.app.routes if isinstance(route, Route)]
    assert len(routes) == len(plain.service.app.routes)
    for path in {route.path for route in routes} - set(PUBLIC_PATHS):
        filled = path.replace("{path:path}", "anything")
        assert (await plain.hear(request(), headers={}, path=filled)).status == 401


@pytest.mark.parametrize("path", PUBLIC_PATHS)
async def test_the_public_pages_need_none(plain: Gateway, path: str) -> None:
    heard = await plain.hear(b"", headers={}, path=path, method="GET")
    assert heard.status == 200


async def test_a_token_for_another_service_a_forged_and_an_old_one_are_refused(
    plain: Gateway, tmp_path: Path
) -> None:
    other = plain.edge.token(someone(), audience="mcp_gateway")
    forged = Edge(tmp_path / "stranger").token(someone(), audience="llm_gateway")
    old = plain.edge.token(someone(), audience="llm_gateway", ttl=-30)
    for token in (other, forged, old, "x", "a.b.c"):
        assert (await plain.hear(request(), headers={"txn-token": token})).status == 401


async def test_a_key_is_refused_where_only_identities_are_accepted(plain: Gateway) -> None:
    secret, record = plain.edge.key()
    await plain.edge.keys(plain.service.parts, [record])
    heard = await plain.hear(request(), headers={"authorization": f"Bearer {secret}"})
    assert heard.status == 401


async def test_deployed_alone_it_takes_keys(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, accept=["identity", "key"]) as gateway:
        secret, record = gateway.edge.key()
        await gateway.edge.keys(gateway.service.parts, [record])
        for headers in ({"authorization": f"Bearer {secret}"}, {"api-key": secret}, gateway.identity()):
            assert (await gateway.hear(request(), headers=headers)).status == 200
        assert secret not in str(provider.last.headers)
        wrong = await gateway.hear(request(), headers={"authorization": "Bearer gsk_wrong"})
        assert wrong.status == 401
        both = await gateway.hear(request(), headers={**gateway.identity(), "api-key": secret})
        assert both.status == 401
        assert {row.credential for row in await gateway.service.rows(3)} == {"key", "identity"}
