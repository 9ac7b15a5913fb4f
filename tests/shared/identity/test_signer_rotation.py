"""A service's signing key is changed under traffic: from the first call to the last, no token is refused."""

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.errors import Unauthenticated
from shared.http_client import HttpClient
from shared.identity.signing import OVERLAP_SECONDS, RETIRE_SECONDS, Signer
from shared.identity.verify import Verifier
from tests.support.clock import FakeClock
from tests.support.serve import serving

STEP = 20.0
DAY = 86_400
TYP = "delegation+jwt"


def token(signer: Signer, clock: FakeClock, seconds: int) -> str:
    now = int(clock.now())
    return signer.sign({"aud": "api_gateway", "iat": now, "exp": now + seconds, "n": now}, typ=TYP)


async def test_while_a_signing_key_is_rotated_nobody_is_refused(tmp_path: Path) -> None:
    clock, http = FakeClock(), HttpClient()
    replicas = [Signer.load_or_create(tmp_path, "agent_gateway", clock=clock) for _ in range(2)]
    turn = 0

    async def jwks(_: Request) -> Response:
        # A balancer in front of the replicas: whichever is asked has to know every key.
        return Response(replicas[turn % 2].jwks(), media_type="application/json")

    async with serving(Starlette(routes=[Route("/jwks", jwks)])) as url:
        verifier = Verifier({"agent_gateway": f"{url}/jwks"}, http=http, clock=clock)
        try:
            long = token(replicas[0], clock, DAY)
            used = set()
            operator = Signer.load_or_create(tmp_path, "agent_gateway", clock=clock)
            for step in range(120):
                turn = step
                if step in (10, 60):
                    operator.rotate()
                for replica in replicas:
                    used.add(replica.kid)
                    await verifier.verify(token(replica, clock, 60), audience="api_gateway", typ=TYP)
                await verifier.verify(long, audience="api_gateway", typ=TYP)
                clock.advance(STEP)
            assert len(used) == 3
        finally:
            await verifier.close()
            await http.close()


async def test_a_key_goes_once_nothing_that_it_signed_is_valid_any_more(tmp_path: Path) -> None:
    clock, http = FakeClock(), HttpClient()
    signer = Signer.load_or_create(tmp_path, "agent_gateway", clock=clock)
    path = tmp_path / "jwks.json"
    verifier = Verifier({"agent_gateway": str(path)}, http=http, clock=clock)
    try:
        first, last = signer.kid, token(signer, clock, 10 * DAY)
        signer.rotate()
        clock.advance(OVERLAP_SECONDS + STEP)
        assert token(signer, clock, 60)
        assert signer.kid != first
        clock.advance(RETIRE_SECONDS)
        signer.rotate()
        assert signer.public(first) is None
        path.write_bytes(signer.jwks())
        with pytest.raises(Unauthenticated, match="signature"):
            await verifier.verify(last, audience="api_gateway", typ=TYP)
    finally:
        await verifier.close()
        await http.close()
