"""Operators ask policy about everybody, try drafts, and change it without ever losing a change."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.ledger.entry import Entry
from tests.api_gateway.governing import POLICY, RULES, current
from tests.api_gateway.office import Office, opened, said
from tests.support.rows import caller, entry
from tests.support.wait import eventually


async def test_nobody_locks_themselves_out(office: Office) -> None:
    policy, etag = await current(office)
    for rules in ([], [rule for rule in policy["rules"] if rule["id"] != "operators"]):
        body = {"policy": policy | {"rules": rules}, "reason": "oops"}
        refused = await office.ask("PUT", "/policy", body, if_match=etag)
        assert (refused.status, "change this policy back" in refused.body["detail"]) == (400, True)
    assert (await current(office))[1] == etag


@pytest.mark.parametrize("if_match", ["7", '"x"', 'W/"1"', '"1", "2"', '"99999999999999999999"'])
async def test_an_if_match_that_is_no_etag_of_ours_is_refused(office: Office, if_match: str) -> None:
    answer = await office.ask("PUT", "/policy", {"policy": {}, "reason": "x"}, if_match=if_match)
    assert answer.status == 400
    assert "if-match" in answer.body["detail"]


async def test_a_published_policy_outlives_a_restart_until_the_configuration_changes(tmp_path: Path) -> None:
    async with opened(tmp_path, POLICY) as office:
        policy, etag = await current(office)
        body = {"policy": policy | {"rules": policy["rules"][:1]}, "reason": "shorter"}
        assert (await office.ask("PUT", "/policy", body, if_match=etag)).status == 200
    async with opened(tmp_path, POLICY) as office:
        kept, etag = await current(office)
        assert (len(kept["rules"]), etag) == (1, '"2"')
    async with opened(tmp_path, POLICY | {"rules": RULES[:3]}) as office:

        async def adopted() -> bool:
            kept, etag = await current(office)
            return (len(kept["rules"]), etag) == (4, '"3"')

        await eventually(adopted, "the new configuration is in force")


async def test_a_draft_is_held_against_what_happened(office_on: Office) -> None:
    office = office_on
    recent = office.control.now_us() - 3_600_000_000
    who = caller("user:bob", agents=("agent:planner",))

    def call(n: int, **fields: Any) -> Entry:
        given: dict[str, Any] = {"resource": "model:fast", "rule": "models", "started_at": recent + n}
        return entry(who, **(given | fields))

    calls = [call(n) for n in range(600)] + [call(700, resource="tool:crm/x", rule="agents")]
    old = call(0, started_at=recent - 30 * 86_400_000_000)
    foreign = entry(caller("user:x", "globex"), started_at=recent, resource="model:m", rule="globex")
    await office.remember([*calls, old, foreign])
    policy, _ = await current(office)
    draft = policy | {"rules": [rule for rule in policy["rules"] if rule["id"] not in ("models", "globex")]}
    body = {"policy": draft, "tenant": "acme"}
    answer = (await office.ask("POST", "/policy/simulate", body)).body
    assert (answer["calls"], answer["changed"], answer["complete"]) == (601, 600, True)
    [shift] = answer["shifts"]
    assert (shift["change"], shift["before"], shift["count"]) == ("refused", "models", 600)
    assert (shift["principals"], shift["examples"]) == (["user:bob"], [who.chain])
    both = (await office.ask("POST", "/policy/simulate", {"policy": draft})).body
    assert {one["tenant"] for one in both["shifts"]} == {"acme", "globex"}
    few = (await office.ask("POST", "/policy/simulate", body | {"limit": 300})).body
    assert (few["calls"], few["complete"]) == (300, False)


async def test_the_command_line_asks_changes_and_goes_back(office: Office, tmp_path: Path) -> None:
    await office.key("user:alice", "acme", team="support")
    who = await office.say("policy", "who-can", "invoke", "catalog:customers", "--tenant", "acme")
    assert (who.code, "user:alice" in who.out, "team:support" in who.out) == (0, True, True)
    what = await office.say("policy", "what-can", "user:alice", "--tenant", "acme", "--json")
    assert what.json["people"][0]["as"]["team"] == "support"
    shown = (await office.say("policy", "show", "--json")).json["policy"]
    path = tmp_path / "draft.yaml"
    tests = [{"sub": "user:alice", "dom": "acme", "obj": "model:x", "expect": "deny"}]
    draft = shown | {"rules": [rule for rule in shown["rules"] if rule["id"] != "models"], "tests": tests}
    path.write_text(yaml.safe_dump(draft))
    file = ("-f", str(path))
    assert (await office.say("policy", "publish", *file)).code == 2
    simulated = await office.say("policy", "simulate", *file, "--since", "7d")
    assert "0 of " in simulated.out
    dry = await office.say("policy", "publish", *file, "--dry-run")
    assert "- allow    models: * in acme: invoke model:* if depth <= 3" in dry.out
    made = await office.say("policy", "publish", *file, "--reason", "no models")
    assert "in force everywhere: version 2" in made.out, made.err
    history = await office.say("policy", "history")
    assert "no models" in history.out
    assert "models" in (await office.say("policy", "diff", "1", "2")).out
    back = await office.say("policy", "rollback", "1", "--reason", "they are missed", "--json")
    assert (back.code, back.json["version"]) == (0, 3)
    draft["tests"][0]["expect"] = "allow"
    path.write_text(yaml.safe_dump(draft))
    refused = await office.say("policy", "publish", *file, "--reason", "again")
    assert (refused.code, "1 of 1 tests" in refused.err) == (2, True)
    assert (await office.say("policy", "show", "9")).code == 1


def test_check_tells_every_problem_at_once_and_ends_with_2(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    rules = [
        {"sub": "*", "dom": "acme", "obj": "model:*", "act": "invoke", "cond": "colour == 1", "id": "a"},
        {"sub": "role:ghost", "dom": "acme", "obj": "model:*", "act": "invoke", "eft": "deny", "id": "b"},
    ]
    path.write_text(yaml.safe_dump({"policy": {"rules": rules}}))
    found = said("policy", "check", str(path), "--json")
    assert found.code == 2
    problems = [finding["problem"] for finding in found.json["findings"]]
    assert any("colour" in problem for problem in problems)
    assert any("role:ghost" in problem for problem in problems)
    path.write_text("rules: [{sub: 1, obj: x}]\ncolour: red\n")
    told = said("policy", "check", str(path))
    assert told.code == 2
    assert all(word in told.out for word in ("rules[0].sub", "rules[0].dom", "colour"))


def test_check_runs_the_policys_own_tests(tmp_path: Path) -> None:
    path, more = tmp_path / "policy.yaml", tmp_path / "more.yaml"
    test = {"sub": "user:a,agent:p", "dom": "acme", "obj": "model:x", "expect": "allow", "name": "chain"}
    rule = {"id": "all", "sub": "*", "dom": "acme", "obj": "model:*", "act": "invoke", "cond": "depth < 2"}
    path.write_text(yaml.safe_dump({"rules": [rule], "tests": [test]}))
    good = said("policy", "check", str(path))
    assert (good.code, "1 of 1 tests" in good.out) == (0, True), good.out
    more.write_text(yaml.safe_dump({"tests": [test | {"sub": "user:a,agent:p,agent:q", "name": "deep"}]}))
    bad = said("policy", "check", str(path), "--tests", str(more))
    assert bad.code == 2
    assert "tests[1] (deep): user:a -> agent:p -> agent:q in acme: invoke model:x" in bad.out
    assert "expected allow, got deny" in bad.out


def test_warnings_are_wrong_only_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    rule = {"sub": "*", "dom": "acme", "obj": "model:*", "act": "invoke"}
    path.write_text(yaml.safe_dump({"rules": [rule, rule]}))
    assert said("policy", "check", str(path)).code == 0
    assert said("policy", "check", str(path), "--strict").code == 2
    assert json.loads(said("policy", "check", str(path), "--json").out)["ok"] is True
