"""Service accounts: who answers for a service, and a switch for all of its keys at once."""

from functools import partial
from pathlib import Path
from typing import Any

from tests.api_gateway.office import Office
from tests.support.wait import eventually

PATH = "/objects/service_account/acme/billing"
SPEC = {"owner": "user:alice", "team": "money", "description": "Sends the bills."}


async def put(office: Office, *, path: str = PATH, key: str = "", **spec: Any) -> int:
    body = {"spec": SPEC | spec, "reason": "a test"}
    seen = await office.ask("GET", path, key=key)
    if_match = seen.headers.get("etag", "") if seen.status == 200 else ""
    return (await office.ask("PUT", path, body, key=key, if_match=if_match)).status


async def answers(office: Office, key: str, status: int) -> bool:
    """Who is known and may nothing gets 403, who is not known gets 401."""
    return (await office.ask("GET", "/status", key=key)).status == status


async def test_disabling_an_account_stops_its_keys_and_enabling_brings_them_back(office: Office) -> None:
    keys = [await office.key("service:billing", "acme") for _ in range(2)]
    other = await office.key("service:billing", "globex")
    assert await put(office) == 200
    for key in (*keys, other):
        assert await answers(office, key, 403)
    assert await put(office, disabled=True) == 200
    for key in keys:
        await eventually(partial(answers, office, key, 401), "it is no good")
    later = await office.key("service:billing", "acme")
    assert await answers(office, later, 401)
    assert await answers(office, other, 403)
    assert await put(office) == 200
    for key in (*keys, later):
        await eventually(partial(answers, office, key, 403), "it is good again")


async def test_the_keys_of_a_disabled_account_go_with_it(office: Office) -> None:
    key = await office.key("service:billing", "acme")
    assert await put(office, disabled=True) == 200
    gone = await office.ask("DELETE", f"{PATH}?reason=done", if_match="*")
    assert gone.status == 200
    assert await answers(office, key, 401)
    assert await put(office) == 200
    assert await answers(office, key, 401)
    assert (await office.ask("DELETE", f"{PATH}?reason=done", if_match="*")).status == 200


async def test_what_is_no_account_is_refused(office: Office) -> None:
    for name in ("billing", "/billing", "acme/", "Acme/billing", "acme/bil*ling", "acme/a%20b", "a/b/c"):
        assert await put(office, path=f"/objects/service_account/{name}") in (400, 404), name
    assert await put(office, owner="x" * 501) == 400
    assert await put(office, sub="user:alice") == 400
    body = {"spec": {"team": "money"}, "reason": "nobody answers for it"}
    assert (await office.ask("PUT", PATH, body)).status == 400


async def test_an_account_is_written_read_and_pruned_as_files(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    text = "kind: service_account\nname: acme/billing\nspec: {owner: 'user:alice', disabled: true}\n---\n"
    file.write_text(text + "kind: key\nname: bills\nspec: {sub: 'service:billing', tenant: acme}\n")
    made = await office.say("apply", "-f", str(file), "--reason", "as reviewed")
    assert (made.code, "2 to make" in made.out) == (0, True), made
    assert (await office.say("diff", "-f", str(file))).code == 0
    assert (await office.say("export", "-o", str(tmp_path / "out"))).code == 0
    assert any("acme/billing" in each.read_text() for each in (tmp_path / "out").iterdir())
    file.write_text("")
    pruned = await office.say("apply", "-f", str(file), "--prune", "--reason", "no more")
    assert pruned.code == 0, pruned
    found = (await office.ask("GET", "/objects")).body["objects"]
    assert not {"acme/billing", "bills"} & {one["name"] for one in found}
