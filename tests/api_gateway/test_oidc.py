"""Callers who signed in elsewhere, through the edge: what policy, the kill switch and the ledger make of
them, and what happens when their provider is away.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.ledger.row import Row
from shared.ledger.row import opened as opened_row
from tests.api_gateway.office import Office, opened
from tests.support.identity_provider import AUDIENCE, IdentityProvider, provider
from tests.support.wait import eventually

READS = {"id": "reads", "sub": "team:ops", "dom": "acme", "obj": "admin:keys", "act": "read"}


@pytest.fixture
async def idp() -> AsyncIterator[IdentityProvider]:
    async with provider() as idp:
        yield idp


@pytest.fixture
async def office(tmp_path: Path, idp: IdentityProvider) -> AsyncIterator[Office]:
    issuer = {
        "issuer": idp.url,
        "audiences": [AUDIENCE],
        "algorithms": ["RS256", "ES256"],
        "principals": [{"sub": "user:{email}", "tenant": {"claim": "org"}, "team": {"claim": "team"}}],
    }
    identity = {"keys_dir": str(tmp_path / "keys"), "trust": {}, "issuers": [issuer]}
    async with opened(tmp_path, {"rules": [READS]}, identity=identity) as office:
        yield office


async def asked(office: Office, token: str) -> tuple[int, dict[str, Any]]:
    answer = await office.ask("GET", "/keys", key=token)
    return answer.status, answer.body


async def test_policy_decides_over_who_the_token_names(office: Office, idp: IdentityProvider) -> None:
    status, body = await asked(office, idp.token(team="ops"))
    assert (status, body) == (200, {"keys": []})
    assert (await asked(office, idp.token(team="sales")))[0] == 403
    row = await eventually(lambda: _row(office), "the row")
    assert row is not None
    assert (row.principal, row.team, row.key, row.credential) == ("user:alice@example.com", "ops", "", "oidc")


async def _row(office: Office) -> Row | None:
    """The ledger's first row of the tenant, once it has been moved to SQL."""
    for writer in await office.store.writers():
        async for kept in office.store.rows(writer):
            if (row := opened_row(kept.body)).tenant == "acme":
                return row
    return None


async def test_the_operators_tenant_is_not_a_providers_to_give(office: Office, idp: IdentityProvider) -> None:
    status, body = await asked(office, idp.token(team="ops", org="system"))
    assert (status, body["reason"]) == (401, "unauthenticated")


async def test_a_kill_stops_whom_a_token_names(office: Office, idp: IdentityProvider) -> None:
    token = idp.token(team="ops")
    assert (await asked(office, token))[0] == 200
    for selector in ({"user": "alice@example.com"}, {"tenant": "acme"}):
        made = await office.ask("POST", "/kills", {"selector": selector, "reason": "a test"})
        assert made.status == 201, made.body
        status, body = await asked(office, token)
        assert (status, body["reason"]) == (403, "killed")
        await office.ask("DELETE", f"/kills/{made.body['id']}")
    assert (await asked(office, token))[0] == 200


async def test_a_provider_that_is_away_is_503_and_a_wrong_token_401(
    office: Office, idp: IdentityProvider
) -> None:
    idp.down = 500
    assert (await asked(office, idp.token(team="ops")))[0] == 503
    idp.down = 0

    async def back() -> bool:
        return (await asked(office, idp.token(team="ops")))[0] == 200

    await eventually(back, "the provider's keys")
    assert (await asked(office, idp.token(team="ops", aud="other")))[0] == 401
    assert (await asked(office, idp.token(team="ops", iss="https://login.example.com")))[0] == 401
