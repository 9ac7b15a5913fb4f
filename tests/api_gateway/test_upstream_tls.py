"""The edge calls services whose authority only their route believes, and shows them its own certificate."""

from pathlib import Path

import msgspec

from api_gateway.app import SERVICE
from api_gateway.upstream_tls import file_problems
from shared.asgi import Receive, Scope, Send
from shared.config import load
from tests.api_gateway.fronted import fronted
from tests.support.serve import serving
from tests.support.tls import Authority, key_of
from tests.support.tls_app import app
from tests.support.wait import eventually


async def test_a_route_is_reached_with_its_own_authority_and_certificate_only(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    mine = authority.workload("edge", "spiffe://acme/edge")
    shown: dict[str, str] = {"ca": str(authority.path), "certificate": str(mine), "key": str(key_of(mine))}
    tls = authority.tls(client_ca=str(authority.path), require_client=True)
    async with serving(app, tls) as url:
        trusts = (shown, {"ca": str(authority.path)}, {"ca": str(other.path)}, None)
        async with fronted(tmp_path, *({"urls": [url], "tls": trust} for trust in trusts)) as front:
            good = await front.ask("/r0/x", method="POST", body=b"hello")
            failed = [(await front.ask(f"/r{n}/x", method="POST")).status for n in (1, 2, 3)]
    told = msgspec.json.decode(good.body)
    assert (good.status, told["read"], told["peer"]) == (200, 5, ["edge", "spiffe://acme/edge"])
    assert failed == [502, 502, 502]


async def test_health_checks_use_the_same(tmp_path: Path) -> None:
    authority, checks = Authority(tmp_path), list[str]()

    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        checks.append(scope.get("path", ""))
        await app(scope, receive, send)

    async with serving(counting, authority.tls()) as url:
        route = {
            "urls": [url],
            "tls": {"ca": "ca.pem"},
            "balance": {
                "health": {
                    "path": "/up",
                    "interval_seconds": 0.2,
                    "timeout_seconds": 15,
                    "rise": 1,
                    "fall": 1,
                }
            },
        }
        (tmp_path / "api_gateway").mkdir()
        (tmp_path / "api_gateway" / "ca.pem").write_bytes(authority.path.read_bytes())
        async with fronted(tmp_path, route) as front:
            pools = front.edge.app.state.upstreams.pools
            [pool] = [pool for pool in pools if pool.rule.health]
            assert pool.http is not None
            # Two rounds: the first answer counts, whichever it is.
            await eventually(lambda: checks.count("/up") >= 2, "checks that were answered")
            assert pool.seen().ready == 1
            assert (await front.ask("/r0/x")).status == 200


def test_files_that_do_not_do_are_problems_with_their_paths(tmp_path: Path) -> None:
    certificate = Authority(tmp_path).issue("mine")
    route = {"name": "a", "prefix": "/a", "urls": ["https://a.test"]}
    bad = [
        {**route, "tls": {"ca": "missing.pem"}},
        {**route, "name": "b", "prefix": "/b", "tls": {"certificate": str(certificate)}},
    ]
    path = tmp_path / "gatestack.yaml"
    path.write_bytes(msgspec.json.encode({"api_gateway": {"routes": bad}}))
    found = file_problems(load(path, SERVICE.name, SERVICE.section, SERVICE.problems, {}))
    assert [problem.partition(":")[0] for problem in found] == ["routes[0].tls", "routes[1].tls"]
