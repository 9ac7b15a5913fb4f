"""Keys over their life: rotated with an overlap, last used, and a service's own signing key."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.identity.signing import Signer
from tests.api_gateway.office import Office, opened, said
from tests.support.wait import eventually

RULES = [
    {"id": "admin", "sub": "user:admin", "dom": "acme", "obj": "admin:keys", "act": "*"},
    {"id": "other", "sub": "user:other", "dom": "globex", "obj": "admin:keys", "act": "*"},
]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with opened(tmp_path, {"rules": RULES}) as office:
        yield office


async def status(office: Office, secret: str) -> int:
    return (await office.ask("GET", "/keys", key=secret)).status


async def test_a_rotated_key_has_two_secrets_until_the_overlap_ends(office: Office) -> None:
    old = await office.key("user:admin", "acme")
    [key] = (await office.ask("GET", "/keys", key=old)).body["keys"]
    made = await office.ask("POST", f"/keys/{key['id']}/rotate", {"overlap": 3600}, key=old)
    assert made.status == 200
    assert made.body["id"] == key["id"]
    assert {"hash", "old_hash"}.isdisjoint(made.body)
    assert (await status(office, old), await status(office, made.body["secret"])) == (200, 200)
    last = await office.ask("POST", f"/keys/{key['id']}/rotate", {"overlap": 0}, key=made.body["secret"])
    found = [await status(office, secret) for secret in (old, made.body["secret"], last.body["secret"])]
    assert found == [401, 401, 200]


async def test_nobody_rotates_a_key_that_is_not_theirs_gone_or_revoked(office: Office) -> None:
    own, other = await office.key("user:admin", "acme"), await office.key("user:other", "globex")
    [key] = (await office.ask("GET", "/keys", key=own)).body["keys"]
    path = f"/keys/{key['id']}/rotate"
    assert (await office.ask("POST", path, {}, key=other)).status == 404
    assert (await office.ask("POST", "/keys/nobody/rotate", {})).status == 404
    assert (await office.ask("POST", path, {"overlap": -1})).status == 400
    await office.ask("DELETE", f"/keys/{key['id']}")
    assert (await office.ask("POST", path, {})).status == 400
    assert await status(office, own) == 401


async def test_the_list_says_when_a_key_was_last_used(office: Office) -> None:
    secret = await office.key("user:admin", "acme")
    [key] = (await office.ask("GET", "/keys?tenant=acme")).body["keys"]
    assert key["used_at"] == 0
    assert await status(office, secret) == 200

    async def used() -> bool:
        [key] = (await office.ask("GET", "/keys?tenant=acme")).body["keys"]
        return bool(key["used_at"] >= key["created_at"])

    await eventually(used, "the key's last use")


async def test_a_key_has_limits_of_its_own_that_no_other_key_feels(office: Office) -> None:
    mine = await office.key("user:admin", "acme", limits=["requests/month=2", "concurrency=5"])
    other = await office.key("user:admin", "acme")
    assert [await status(office, mine) for _ in range(3)] == [200, 200, 429]
    assert await status(office, other) == 200
    made = await office.ask("POST", "/keys/none/rotate", {})
    assert made.status == 404
    for wrong in (["requests=2"], ["wishes/day=1"], ["requests/day=1", "requests/day=2"]):
        body = {"sub": "user:admin", "tenant": "acme", "limits": wrong}
        answer = await office.ask("POST", "/keys", body)
        assert (answer.status, "limits" in answer.body["detail"]) == (400, True), answer.body


async def test_the_command_line_rotates_both_kinds_of_keys(office: Office, tmp_path: Path) -> None:
    await office.key("user:admin", "acme")
    listed = await office.say("keys", "list", "--tenant", "acme", "--json")
    key = listed.json["keys"][0]["id"]
    shown = await office.say("keys", "rotate", key, "--overlap", "30m")
    assert (shown.code, shown.out.startswith("gsk_")) == (0, True)
    assert (await office.say("keys", "rotate", key, "--overlap", "soon")).code == 2
    assert said("keys", "rotate-signer", "llm_gateway", "--keys-dir", str(tmp_path)).code == 1
    before = Signer.load_or_create(tmp_path, "llm_gateway")
    made = said("keys", "rotate-signer", "llm_gateway", "--keys-dir", str(tmp_path), "--json")
    after = Signer.load_or_create(tmp_path, "llm_gateway")
    assert after.public(made.json["kid"]) is not None
    # It is published before it signs.
    assert after.kid == before.kid
