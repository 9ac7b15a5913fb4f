"""A web page that means harm, in the browser of somebody whose certificate the browser has."""

from pathlib import Path

import httpx
import msgspec

from tests.api_gateway.fronted import fronted
from tests.support.serve import serving
from tests.support.tls import Authority
from tests.support.tls_app import app
from tests.support.wait import SECONDS


async def test_a_foreign_page_does_not_use_the_certificate_of_whoever_looks_at_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    known = {"uri": "spiffe://acme/alice", "sub": "user:alice", "tenant": "acme"}
    tls = msgspec.to_builtins(authority.tls(client_ca=str(authority.path)))
    alice = authority.client(authority.workload("a", "spiffe://acme/alice"))
    async with (
        serving(app) as url,
        fronted(tmp_path, {"urls": [url]}, tls=tls, client_certificates=[known]) as front,
        httpx.AsyncClient(verify=alice, timeout=SECONDS) as client,
    ):

        async def sent(method: str = "POST", **headers: str) -> int:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return (await client.request(method, f"{front.edge.url}/r0/x", headers=named)).status_code

        own = front.edge.url
        foreign = [
            await sent(origin="https://evil.example"),
            await sent(origin="null"),
            await sent(sec_fetch_site="cross-site"),
            await sent("GET", sec_fetch_site="cross-site", sec_fetch_mode="no-cors"),
            await sent(sec_fetch_site="same-site"),
        ]
        fine = [
            await sent(),
            await sent(origin=own, sec_fetch_site="same-origin"),
            await sent("GET", sec_fetch_site="none"),
        ]
    assert foreign == [401] * 5
    assert fine == [200] * 3
