"""Operators ask policy about everybody, try drafts, and change it without ever losing a change."""

import asyncio
from typing import Any

import pytest

from shared.ledger.row import Row
from tests.api_gateway.governing import _rows, current
from tests.api_gateway.office import Office
from tests.support.wait import eventually


async def test_who_can_finds_people_by_role_team_catalog_and_wildcard(office_on: Office) -> None:
    office = office_on
    await office.key("user:alice", "acme", team="support")
    await office.key("user:bob", "acme", team="sales")
    await office.key("agent:planner", "acme")
    answer = await office.ask("POST", "/policy/who-can", {"resource": "catalog:customers", "tenant": "acme"})
    assert answer.status == 200, answer.body
    found = {row["name"]: row for row in answer.body["who"]}
    assert set(found) == {"user:alice", "agent:planner", "agent:*", "team:support"}
    assert found["user:alice"]["through"] == ["role:staff"]
    assert (found["agent:planner"]["callers"], found["agent:planner"]["caller_count"]) == (["user:alice"], 1)
    agents = {"resource": "tool:crm/refund", "tenant": "acme", "kind": "agent"}
    rows = (await office.ask("POST", "/policy/who-can", agents)).body["who"]
    assert [row["name"] for row in rows] == ["agent:*", "agent:planner"]


async def test_a_revoked_key_makes_nobody_and_a_narrow_scope_is_told(office: Office) -> None:
    await office.key("user:carol", "acme", team="support", scope=["model:*"])
    await office.key("user:dave", "acme", team="support", name="gone")
    gone = next(key for key in (await office.ask("GET", "/keys")).body["keys"] if key["name"] == "gone")
    await office.ask("DELETE", f"/keys/{gone['id']}")
    answer = await office.ask("POST", "/policy/who-can", {"resource": "tool:crm/x", "tenant": "acme"})
    found = {row["name"]: row for row in answer.body["who"]}
    assert "user:dave" not in found
    assert (found["user:carol"]["keys"], found["user:carol"]["usable_keys"]) == (1, 0)


async def test_what_can_uses_the_teams_of_the_principals_keys(office: Office) -> None:
    await office.key("user:alice", "acme", team="support")
    answer = await office.ask("POST", "/policy/what-can", {"principal": "user:alice", "tenant": "acme"})
    [person] = answer.body["people"]
    assert person["as"]["team"] == "support"
    lines = {line["resource"]: line["standing"]["verdict"] for line in person["can"]}
    assert lines == {"agent:*": "always", "catalog:customers": "always", "model:*": "sometimes"}
    tools = {"principal": "user:alice", "tenant": "acme", "within": "tool:crm/refund"}
    [person] = (await office.ask("POST", "/policy/what-can", tools)).body["people"]
    assert [line["inside"] for line in person["can"]] == [["tool:crm/*"]]


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("who-can", {"resource": "nonsense"}, "resource"),
        ("who-can", {"resource": "role:staff"}, "resource"),
        ("who-can", {"resource": "model:*", "kind": "team"}, "kind"),
        ("what-can", {"principal": "alice"}, "principal"),
        ("what-can", {"principal": "user:a", "within": "x"}, "within"),
        ("simulate", {"policy": {}, "since": "yesterday"}, "since"),
        ("simulate", {"policy": {}, "limit": 0}, "limit"),
        (
            "simulate",
            {"policy": {"rules": [{"sub": "x", "dom": "", "obj": "y", "act": "z"}]}},
            "rules[0].sub",
        ),
        ("check", {"files": ["a.csv"]}, "files"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_in_words(
    office: Office, path: str, body: dict[str, Any], word: str
) -> None:
    answer = await office.ask("POST", f"/policy/{path}", body)
    assert answer.status == 400
    assert word in answer.body["detail"], answer.body


async def test_a_tenants_administrator_sees_that_tenant_only_and_changes_nothing(office: Office) -> None:
    key = await office.key("user:admin", "acme")
    seen = (await office.ask("GET", "/policy", key=key)).body["policy"]
    assert {rule["dom"] for rule in seen["rules"]} == {"acme", "*"}
    assert {rule["dom"] for rule in (await current(office))[0]["rules"]} == {"acme", "*", "globex"}
    other = await office.ask("POST", "/policy/who-can", {"resource": "model:x", "tenant": "globex"}, key=key)
    assert other.status == 403
    own = await office.ask("POST", "/policy/who-can", {"resource": "model:x"}, key=key)
    assert {row["tenant"] for row in own.body["who"]} == {"acme"}
    for method, path, body in (
        ("PUT", "/policy", {"policy": {}, "reason": "mine"}),
        ("POST", "/policy/rollback", {"version": 1, "reason": "mine"}),
    ):
        assert (await office.ask(method, path, body, key=key, if_match='"1"')).status == 403
    assert [one.number for one in await office.store.policies()] == [1]


async def test_a_new_policy_is_in_force_when_the_answer_comes_and_on_record(office_on: Office) -> None:
    office = office_on
    policy, etag = await current(office)
    policy["rules"].append({"id": "new", "sub": "user:zoe", "dom": "acme", "obj": "tool:x/y", "act": "*"})
    body = {"policy": policy, "reason": "zoe needs it"}
    assert (await office.ask("PUT", "/policy", body)).status == 428
    dry = await office.ask("PUT", "/policy", body | {"dry_run": True})
    assert (dry.status, [edit["after"]["id"] for edit in dry.body["edits"]]) == (200, ["new"])
    assert (await current(office))[1] == etag
    made = await office.ask("PUT", "/policy", body, if_match=etag)
    assert (made.status, made.body["version"], made.headers["etag"]) == (200, 2, '"2"')
    question = {"actors": ["user:zoe"], "resource": "tool:x/y", "tenant": "acme"}
    told = (await office.ask("POST", "/policy/explain", question)).body["decision"]
    assert (told["allowed"], told["epoch"]) == (True, made.body["epoch"])
    [newest, oldest] = (await office.ask("GET", "/policy/versions")).body["versions"]
    assert (newest["author"], newest["reason"]) == ("user:operator", "zoe needs it")
    assert (oldest["author"], oldest["version"]) == ("configuration", 1)

    async def change() -> list[Row]:
        rows = [row async for row in _rows(office)]
        return [row for row in rows if "policy:1->2" in row.findings]

    [row] = await eventually(change, "the change in the ledger")
    assert (row.principal, row.detail, row.action) == ("user:operator", "zoe needs it", "manage")
    assert len(row.digest) == 64


async def test_of_many_who_change_the_same_version_one_succeeds_and_all_others_are_told(
    office_on: Office,
) -> None:
    office = office_on
    policy, etag = await current(office)

    def draft(n: int) -> dict[str, Any]:
        rule = {"id": f"n{n}", "sub": f"user:n{n}", "dom": "acme", "obj": "tool:x/y", "act": "*"}
        return {"policy": policy | {"rules": [*policy["rules"], rule]}, "reason": f"number {n}"}

    answers = await asyncio.gather(*(office.ask("PUT", "/policy", draft(n), if_match=etag) for n in range(8)))
    assert sorted(answer.status for answer in answers) == [200, *[412] * 7]
    winner = next(n for n, answer in enumerate(answers) if answer.status == 200)
    kept, _ = await current(office)
    assert [rule["id"] for rule in kept["rules"]][-1] == f"n{winner}"
    loser = next(answer for answer in answers if answer.status == 412)
    assert f"(number {winner})" in loser.body["detail"]


async def test_editors_who_read_again_after_a_412_all_get_their_change_in(office: Office) -> None:
    async def edit(n: int) -> None:
        while True:
            policy, etag = await current(office)
            rule = {"id": f"n{n}", "sub": f"user:n{n}", "dom": "acme", "obj": "tool:x/y", "act": "*"}
            body = {"policy": policy | {"rules": [*policy["rules"], rule]}, "reason": f"number {n}"}
            answer = await office.ask("PUT", "/policy", body, if_match=etag)
            if answer.status == 200:
                return
            assert answer.status == 412, answer.body

    await asyncio.gather(*(edit(n) for n in range(5)))
    policy, etag = await current(office)
    assert {f"n{n}" for n in range(5)} <= {rule["id"] for rule in policy["rules"]}
    assert etag == '"6"'


async def test_a_rollback_is_a_new_version_that_says_the_same_as_the_old(office: Office) -> None:
    first, etag = await current(office)
    body = {"policy": first | {"rules": first["rules"][:1]}, "reason": "oops"}
    assert (await office.ask("PUT", "/policy", body, if_match=etag)).status == 200
    stale = await office.ask("POST", "/policy/rollback", {"version": 1, "reason": "x"}, if_match=etag)
    assert stale.status == 412
    assert (await office.ask("POST", "/policy/rollback", {"version": 1})).status == 400
    assert (await office.ask("POST", "/policy/rollback", {"version": 9, "reason": "x"})).status == 404
    back = await office.ask("POST", "/policy/rollback", {"version": 1, "reason": "it broke"})
    assert (back.status, back.body["version"], back.body["reason"]) == (200, 3, "back to version 1: it broke")
    assert (await current(office))[0] == first
    diff = (await office.ask("GET", "/policy/diff?from=1&to=3")).body
    assert diff["edits"] == []
    assert len((await office.ask("GET", "/policy/diff")).body["edits"]) == len(first["rules"]) - 1
