"""While a service account is disabled, nothing that names its principal is let in, whatever issued it; the
order says so, is nobody's to lift, and ends with the account's enabling.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api_gateway import control as control_plane
from shared.errors import Killed, Unavailable
from shared.identity.principal import Caller, Principal
from shared.ledger.entry import Entry
from shared.ledger.row import Row
from shared.ledger.row import opened as opened_row
from tests.api_gateway.office import Office, opened
from tests.api_gateway.regions.domains import centre_at, obeys, region_at
from tests.support.identity_provider import AUDIENCE, IdentityProvider, provider
from tests.support.wait import eventually

Json = dict[str, Any]
ORDER = "service_account:acme:billing"
READS = {"id": "reads", "sub": "service:*", "dom": "*", "obj": "admin:keys", "act": "read"}
LIFTS = {"id": "lifts", "sub": "service:shop", "dom": "*", "obj": "admin:kills", "act": "*"}


@pytest.fixture
async def idp() -> AsyncIterator[IdentityProvider]:
    async with provider() as idp:
        yield idp


@pytest.fixture
async def office(
    tmp_path: Path, idp: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Office]:
    monkeypatch.setattr(control_plane, "_REPUBLISH_SECONDS", 0.02)
    mapping = {"sub": "service:{name}", "tenant": {"claim": "org"}}
    issuer = {"issuer": idp.url, "audiences": [AUDIENCE], "principals": [mapping]}
    identity = {"keys_dir": str(tmp_path / "keys"), "trust": {}, "issuers": [issuer]}
    async with opened(tmp_path, {"rules": [READS, LIFTS]}, identity=identity) as office:
        yield office


async def put(office: Office, *, disabled: bool, dry_run: bool = False) -> Json:
    held = [one for one in await objects(office) if one["kind"] == "service_account"]
    change = {"kind": "service_account", "name": "acme/billing", "if_match": held[0]["etag"] if held else ""}
    change["spec"] = {"owner": "user:alice", "disabled": disabled}
    body = {"changes": [change], "reason": "a leak", "dry_run": dry_run}
    answer = await office.ask("PUT", "/objects", body)
    assert answer.status == 200, answer.body
    told: Json = answer.body
    return told


async def objects(office: Office) -> list[Json]:
    found: list[Json] = (await office.ask("GET", "/objects")).body["objects"]
    return found


async def status(office: Office, credential: str) -> int:
    return (await office.ask("GET", "/keys", key=credential)).status


async def kills(office: Office, credential: str = "") -> list[Json]:
    found: list[Json] = (await office.ask("GET", "/kills", key=credential)).body["kills"]
    return found


async def rows(office: Office) -> list[Row]:
    found = []
    for writer in await office.store.writers():
        found += [opened_row(kept.body) async for kept in office.store.rows(writer)]
    return found


async def test_its_tokens_are_refused_at_once_and_nobody_elses_are(
    office: Office, idp: IdentityProvider
) -> None:
    token, key = idp.token(name="billing"), await office.key("service:billing", "acme")
    others = [idp.token(name="billing", org="globex"), idp.token(name="billing2"), idp.token(name="shop")]
    assert (await put(office, disabled=True, dry_run=True))["state"] == "possible"
    assert [await status(office, each) for each in (token, key, *others)] == [200] * 5
    assert (await put(office, disabled=True))["published"]
    refused = await office.ask("GET", "/keys", key=token)
    assert (refused.status, refused.body["reason"]) == (403, "killed")
    assert refused.body["detail"].endswith("stopped by an operator: the service account billing is disabled")
    assert [await status(office, each) for each in (key, *others)] == [401, 200, 200, 200]
    assert (await put(office, disabled=False))["published"]
    assert [await status(office, each) for each in (token, key, *others)] == [200] * 5


async def test_the_order_is_listed_to_its_tenant_and_not_to_be_lifted(
    office: Office, idp: IdentityProvider
) -> None:
    shop, foreign = idp.token(name="shop"), idp.token(name="shop", org="globex")
    await put(office, disabled=True)
    [order] = await kills(office)
    assert (order["id"], order["by"]) == (ORDER, "user:operator")
    assert order["selector"] == {"principal": "service:billing", "tenant": "acme"}
    assert (await kills(office, shop), await kills(office, foreign)) == ([order], [])
    for credential, expected in (("", 400), (shop, 400), (foreign, 404)):
        assert (await office.ask("DELETE", f"/kills/{ORDER}", key=credential)).status == expected
    lifted = await office.say("kill", "lift", ORDER)
    assert (lifted.code, "enable it (disabled: false)" in lifted.err) == (1, True), lifted
    assert "billing is disabled" in (await office.say("kill", "list")).out
    assert await kills(office) == [order]
    # What is implied is not declared: files that were exported do not bring it back as an order of its own.
    assert "kill" not in {one["kind"] for one in await objects(office)}
    await put(office, disabled=False)
    assert await kills(office) == []


async def test_the_ledger_says_that_it_was_disabled_and_enabled_by_whom_and_why(office: Office) -> None:
    for disabled in (False, True, False):
        await put(office, disabled=disabled)

    async def told() -> list[tuple[str, str, str]]:
        found = [row for row in await rows(office) if row.findings]
        return [(row.findings[0], row.actors[-1], row.detail) for row in found] if len(found) == 3 else []

    name = "object:service_account/acme/billing"
    assert await eventually(told, "three rows") == [
        (f"{name} {did}", "user:operator", "a leak") for did in ("put", "disabled", "enabled")
    ]


async def test_removing_a_disabled_account_does_not_bring_its_tokens_back(
    office: Office, idp: IdentityProvider, tmp_path: Path
) -> None:
    token, file = idp.token(name="billing"), tmp_path / "accounts.yaml"
    file.write_text("kind: service_account\nname: acme/billing\nspec: {owner: 'user:a', disabled: true}\n")
    assert (await office.say("apply", "-f", str(file), "--reason", "a leak")).code == 0
    assert await status(office, token) == 403
    file.write_text("")
    assert (await office.say("apply", "-f", str(file), "--prune", "--reason", "gone")).code == 0
    assert await status(office, token) == 403
    [order] = await kills(office)
    assert (order["reason"], order["by"]) == (
        "the service account billing was removed while it was disabled",
        "user:operator",
    )
    assert (await office.ask("DELETE", f"/kills/{order['id']}")).status == 200
    assert await status(office, token) == 200


async def test_what_redis_did_not_take_is_told_and_in_force_soon_after(
    office: Office, idp: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, key = idp.token(name="billing"), await office.key("service:billing", "acme")

    async def refuse(*_: Any) -> None:
        raise Unavailable("gone")

    with monkeypatch.context() as broken:
        broken.setattr(office.edge.parts.snapshots, "publish", refuse)
        told = await put(office, disabled=True)
        shop = {"spec": {"owner": "user:alice", "disabled": True}, "reason": "a leak"}
        alone = await office.ask("PUT", "/objects/service_account/acme/shop", shop)
    assert (told["state"], told["published"]) == ("done", False)
    assert (alone.status, alone.body["did"], alone.body["published"]) == (200, "made", False)

    async def stopped() -> bool:
        return [await status(office, each) for each in (token, key)] == [403, 401]

    await eventually(stopped, "both are refused")


async def test_regions_obey_it_too(tmp_path: Path) -> None:
    principal = Principal(sub="service:billing", tenant="acme")
    caller = Caller(principal=principal, actors=(principal.sub, "agent:a"), chain="c", credential="oidc")
    entry = Entry(id="e", service="llm_gateway", started_at=0, caller=caller)
    async with centre_at(tmp_path) as centre:
        secret = await centre.key("service:eu", "system")
        async with region_at(tmp_path, centre.edge.url, secret) as region:
            await obeys(centre, region)
            region.parts.kill.check(entry)
            await put(centre, disabled=True)
            await obeys(centre, region)
            with pytest.raises(Killed, match="billing is disabled"):
                region.parts.kill.check(entry)
            await put(centre, disabled=False)
            await obeys(centre, region)
            region.parts.kill.check(entry)
