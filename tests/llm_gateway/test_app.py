"""What is behind credentials (all but a few pages), and which kinds of them are accepted."""

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest
from starlette.routing import Route

from shared.health import PUBLIC_PATHS
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, request
from tests.support.providers import ScriptedProvider
from tests.support.serve import Edge, someone

PATHS = ("/v1/chat/completions", "/v1/models", "/v1/models/fast", "/nothing", "/", "/v1/models/")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
async def test_nothing_answers_without_credentials(plain: Gateway, method: str) -> None:
    for path in PATHS:
        heard = await plain.hear(request(), headers={}, path=path, method=method)
        assert (heard.status, heard.error["code"]) == (401, "invalid_api_key")
    await plain.service.parts.account.strangers.stop()
    rows = await plain.service.rows(2, tenant="")
    assert [row.times for row in rows] == [1, len(PATHS) - 1]
    assert {(row.outcome, row.reason, row.tenant) for row in rows} == {("refused", "unauthenticated", "")}


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


async def test_started_with_a_wrong_configuration_it_names_every_problem_and_exits_with_2(
    tmp_path: Path,
) -> None:
    path = tmp_path / "gatestack.yaml"
    path.write_text("llm_gateway: {bind: x, accept: [], models: {m: {targets: []}}}")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "llm_gateway", "--config", str(path), "--json"),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 2
    assert [problem.partition(": ")[0] for problem in msgspec.json.decode(said)["problems"]] == [
        "llm_gateway.models.m.targets",
        "llm_gateway.accept",
        "llm_gateway.bind",
    ]
