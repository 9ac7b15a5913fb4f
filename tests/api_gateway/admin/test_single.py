"""Declared objects at addresses of their own: repeated without harm, changed only by who has seen them."""

import asyncio
from typing import Any

import pytest

from api_gateway.admin.agent_registry import AgentRegistry
from shared.errors import Unavailable
from shared.ledger.row import Row
from tests.api_gateway.office import Answer, Office
from tests.support.wait import eventually

KEY: dict[str, Any] = {"sub": "user:alice", "tenant": "acme"}
SERVER = {"name": "com.example/git", "description": "Reads git.", "version": "1.0.0"}
SKILL = {"description": "Sums up.", "instructions": "Read, then sum up."}
OBJECTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "key/billing": (KEY, KEY | {"team": "money"}),
    "agent/clerk": ({"bridge": {"kind": "chat", "model": "a"}}, {"bridge": {"kind": "chat", "model": "b"}}),
    "kill/stop": ({"selector": {"agent": "a"}}, {"selector": {"agent": "a"}, "reason": "enough"}),
    "server/com.example/git@1.0.0": ({"server": SERVER}, {"server": SERVER, "state": "deprecated"}),
    "skill/sum-up@1": ({"skill": SKILL}, {"skill": SKILL, "state": "deprecated"}),
}


async def _put(office: Office, name: str, spec: dict[str, Any], if_match: str = "", **more: Any) -> Answer:
    body = {"spec": spec, "reason": "a test", **more}
    return await office.ask("PUT", f"/objects/{name}", body, if_match=if_match)


async def test_a_bridge_that_stays_what_it_is_keeps_the_credential_that_it_needs(office: Office) -> None:
    spec = OBJECTS["agent/clerk"][0]
    assert (await _put(office, "agent/clerk", spec)).status == 200
    refused = await _put(office, "agent/clerk", spec | {"credential": "none"}, if_match="*")
    assert (refused.status, refused.body["detail"].partition(":")[0]) == (400, "credential")


@pytest.mark.parametrize("name", OBJECTS)
async def test_every_kind_is_made_read_changed_and_removed(office: Office, name: str) -> None:
    one, other = OBJECTS[name]
    tried = await _put(office, name, one, dry_run=True)
    assert (tried.status, tried.body["did"]) == (200, "nothing"), tried
    assert (await office.ask("GET", f"/objects/{name}")).status == 404
    made = await _put(office, name, one)
    assert (made.status, made.body["did"]) == (200, "made"), made
    again = await _put(office, name, one)
    assert (again.body["did"], again.body["etag"]) == ("unchanged", made.body["etag"])
    read = await office.ask("GET", f"/objects/{name}")
    assert (read.headers["etag"], read.body["owner"]) == (made.body["etag"], "gatestack")
    assert (await _put(office, name, other)).status == 428
    assert (await _put(office, name, other, '"stale"')).status == 412
    changed = await _put(office, name, other, read.headers["etag"])
    assert (changed.status, changed.body["did"]) == (200, "changed"), changed
    assert (await office.ask("DELETE", f"/objects/{name}?reason=over", if_match='"stale"')).status == 412
    assert (await office.ask("DELETE", f"/objects/{name}", if_match="*")).status == 400
    gone = await office.ask("DELETE", f"/objects/{name}?reason=over", if_match=changed.body["etag"])
    assert gone.status == 200, gone
    assert (await office.ask("GET", f"/objects/{name}")).status == 404


async def test_the_policy_is_an_object_too(office: Office) -> None:
    read = await office.ask("GET", "/objects/policy/policy")
    rule = {"id": "new", "sub": "user:bob", "dom": "acme", "obj": "model:*", "act": "invoke"}
    spec = read.body["spec"] | {"rules": [*read.body["spec"]["rules"], rule]}
    changed = await _put(office, "policy/policy", spec, read.headers["etag"])
    assert (changed.status, changed.body["did"]) == (200, "changed"), changed
    late = await _put(office, "policy/policy", read.body["spec"], read.headers["etag"])
    assert late.status == 412, late
    assert (await office.ask("DELETE", "/objects/policy/policy?reason=x", if_match="*")).status == 400


@pytest.mark.parametrize("name", ["key/billing", "agent/clerk"])
async def test_of_many_edits_at_once_exactly_one_is_made(office_on: Office, name: str) -> None:
    office = office_on
    spec = OBJECTS[name][0]
    field = "title" if name.startswith("key") else "owner"
    etag = (await _put(office, name, spec)).body["etag"]
    for turn in range(3):
        edits = [_put(office, name, spec | {field: f"{turn}-{n}"}, etag) for n in range(8)]
        answers = await asyncio.gather(*edits)
        assert sorted(one.status for one in answers) == [200] + [412] * 7
        won = next(one for one in answers if one.status == 200)
        read = await office.ask("GET", f"/objects/{name}")
        assert (read.body["spec"], read.headers["etag"]) == (won.body["spec"], won.body["etag"])
        etag = won.body["etag"]


async def test_a_rotation_does_not_undo_an_edit_that_came_between(office: Office) -> None:
    secret = (await _put(office, "key/billing", KEY)).body["secret"]
    record = next(one for one in await office.store.keys("acme") if one.id == "billing")
    changed = await _put(office, "key/billing", KEY | {"team": "money"}, "*")
    assert changed.status == 200, changed
    with pytest.raises(Exception, match="changed meanwhile"):
        await office.control.rotate_key(record, 60)
    rotated = await office.ask("POST", "/keys/billing/rotate", {"overlap": 60})
    assert (rotated.status, rotated.body["team"]) == (200, "money")
    assert rotated.body["secret"] != secret


async def test_pages_follow_each_other_while_the_list_changes(office: Office) -> None:
    for number in range(7):
        assert (await _put(office, f"key/k{number}", KEY | {"team": f"t{number % 2}"})).status == 200
    found, cursor = [], ""
    while True:
        page = await office.ask("GET", f"/objects?kind=key&name=k*&limit=3&cursor={cursor}")
        found += [one["name"] for one in page.body["objects"]]
        cursor = page.body["next"]
        if not cursor:
            break
        await office.ask("DELETE", f"/objects/key/{found[-1]}?reason=gone", if_match="*")
        assert (await _put(office, f"key/a{len(found)}", KEY)).status == 200
    assert found == [f"k{number}" for number in range(7)]
    teams = await office.ask("GET", "/keys?team=t1&limit=2")
    assert [one["id"] for one in teams.body["keys"]] == ["k1", "k3"]
    for wrong in ("limit=0", "limit=x", "cursor=x", "colour=red", "team=a&team=b"):
        assert (await office.ask("GET", f"/keys?{wrong}")).status == 400, wrong


async def test_the_ledger_keeps_what_was_asked_why_and_for_whom(office: Office) -> None:
    path = "/keys/first-operator/rotate?reason=it%20leaked&author=eve"
    office_key = office.key_file.read_text().strip()
    assert (await office.ask("POST", path, {"overlap": 3600}, key=office_key)).status == 200

    async def row() -> Row | None:
        for chain in (await office.ask("GET", "/chains?limit=1000")).body["chains"]:
            for found in await office.store.chain(chain["chain"], None):
                if found.method == "POST /keys/first-operator/rotate":
                    return found
        return None

    found = await eventually(row, "the call's row")
    assert found is not None
    assert (found.principal, found.detail) == ("user:operator", "it leaked (author: eve)")


async def test_a_name_with_a_slash_is_the_same_one_escaped_or_not(office: Office) -> None:
    made = await _put(office, "server/com.example%2Fgit@1.0.0", {"server": SERVER})
    assert (made.status, made.body["name"]) == (200, "com.example/git@1.0.0"), made
    assert (await office.ask("GET", "/objects/server/com.example/git@1.0.0")).body["spec"] == made.body[
        "spec"
    ]


async def test_what_is_nested_too_deep_to_be_written_down_is_not_kept(office: Office) -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"a": deep}
    refused = await _put(office, "server/com.example/git@1.0.0", {"server": SERVER | {"x": deep}})
    assert (refused.status, "levels" in refused.body["detail"]) == (400, True), refused
    assert (await office.say("export")).code == 0


async def test_an_agent_is_removed_from_its_own_page_as_it_was_seen(office: Office) -> None:
    spec = OBJECTS["agent/clerk"][0]
    assert (await office.ask("PUT", "/agents/clerk", spec, if_match="*")).status == 412
    assert (await office.ask("PUT", "/agents/clerk", spec)).status == 200
    assert (await office.ask("PUT", "/agents/clerk", spec | {"owner": "me"}, if_match="*")).status == 200
    [shown] = (await office.ask("GET", "/agents")).body["agents"]
    assert (await office.ask("DELETE", "/agents/clerk", if_match='"stale"')).status == 412
    assert (await office.ask("DELETE", "/agents/clerk", if_match=shown["etag"])).status == 200
    assert (await office.ask("DELETE", "/agents/clerk", if_match=shown["etag"])).status == 404


async def test_a_new_keys_secret_is_told_though_redis_is_gone_after_the_writes(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(_: AgentRegistry, __: str) -> None:
        raise Unavailable("Redis is gone")

    monkeypatch.setattr(AgentRegistry, "looked_at", gone)
    changes = [
        {"kind": "agent", "name": "clerk", "spec": OBJECTS["agent/clerk"][0]},
        {"kind": "key", "name": "billing", "spec": KEY},
    ]
    made = await office.ask("PUT", "/objects", {"changes": changes, "reason": "a test"})
    assert (made.status, made.body["state"], made.body["published"]) == (200, "done", False)
    assert made.body["results"][1]["secret"].startswith("gsk_")


async def test_a_reason_is_no_longer_than_it_may_be(office: Office) -> None:
    kill = {"selector": {"agent": "a"}, "reason": "x" * 501}
    assert (await _put(office, "kill/stop", kill)).status == 400
    assert (await office.ask("POST", "/kills", kill)).status == 400
