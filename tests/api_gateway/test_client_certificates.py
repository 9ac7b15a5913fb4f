"""A client that shows a certificate of the allow-list needs no key; one that does not is nobody."""

from pathlib import Path

import httpx
import msgspec

from tests.api_gateway.fronted import fronted
from tests.support.serve import serving
from tests.support.tls import Authority
from tests.support.tls_app import app
from tests.support.wait import SECONDS


async def test_the_certificate_of_the_connection_is_the_credential(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    known = {"uri": "spiffe://acme/alice", "sub": "user:alice", "tenant": "acme"}
    tls = msgspec.to_builtins(authority.tls(client_ca=str(authority.path)))
    alice, mallory = (
        authority.workload("a", "spiffe://acme/alice"),
        authority.workload("m", "spiffe://acme/m"),
    )
    contexts = [authority.client(alice), authority.client(mallory), authority.client()]
    claims = {"x-forwarded-client-cert": "URI=spiffe://acme/alice", "x-client-cert": "spiffe://acme/alice"}
    async with (
        serving(app) as url,
        fronted(tmp_path, {"urls": [url]}, tls=tls, client_certificates=[known]) as front,
    ):
        found = []
        for context in contexts:
            transport = httpx.AsyncHTTPTransport(verify=context, http2=True)
            async with httpx.AsyncClient(transport=transport, timeout=SECONDS) as client:
                found.append((await client.get(f"{front.edge.url}/r0/x", headers=claims)).status_code)
        [entry] = await front.closed()
    assert found == [200, 401, 401]
    assert entry.caller is not None
    assert (entry.caller.actors, entry.outcome) == (("user:alice",), "completed")
