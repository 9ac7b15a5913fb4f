"""Past calls are held against a draft: what would change is told, with how often and for whom, and what the
ledger does not know is not guessed.
"""

from typing import Any

from shared.identity.principal import Caller
from shared.ledger.row import Row, row_of
from shared.policy import Approval, Policy, PolicyRules
from shared.policy.replay import Replay, Shift
from tests.shared.policy.worlds import caller as worlds_caller
from tests.shared.policy.worlds import rule
from tests.support.rows import START_US, entry

NOW = PolicyRules(
    rules=[
        rule("*", "model:*", id="models"),
        rule("user:alice", "tool:crm/*", id="crm", cond="args.amount <= 500"),
        rule("user:bob", "tool:crm/*", id="bob"),
        rule("*", "tool:crm/*", id="clean", eft="deny", cond='"untrusted" in taint'),
    ]
)


def caller(*actors: str, **principal: Any) -> Caller:
    return worlds_caller(*(actors or ("user:alice",)), **principal)


def row(who: Caller, resource: str, decided_by: str, **fields: Any) -> Row:
    decision = "allow" if decided_by else "deny"
    call = entry(who, resource=resource, rule=decided_by, decision=decision, **fields)
    return row_of(call, writer="w", seq=1, prev="")


def replayed(draft: PolicyRules, *rows: Row) -> tuple[Replay, list[Shift]]:
    replay = Replay(Policy.compile(draft, 2), Policy.compile(NOW, 1))
    for one in rows:
        replay.add(one)
    return replay, replay.shifts()


def test_a_draft_that_says_the_same_changes_nothing() -> None:
    rows = [row(caller(), "model:fast", "models"), row(caller(), "tool:crm/x", "crm")]
    replay, shifts = replayed(PolicyRules(rules=list(reversed(NOW.rules))), *rows)
    assert (replay.rows, shifts) == (2, [])


def test_refusals_are_counted_by_who_and_what_with_examples() -> None:
    draft = PolicyRules(rules=[rule("user:bob", "model:*", id="only-bob"), *NOW.rules[1:]])
    who = [caller(), caller(), caller("user:bob"), caller("user:alice", "agent:p")]
    calls = [row(one, "model:fast", "models", started_at=START_US + n) for n, one in enumerate(who)]
    _, shifts = replayed(draft, *calls)
    first, second = shifts
    assert (first.change, first.actor, first.count) == ("refused", "user:alice", 2)
    assert (first.before, first.after, first.why) == ("models", "", "user:alice: no rule allows it")
    assert (first.first_at, first.last_at) == (START_US, START_US + 1)
    assert (second.actor, second.principals, second.examples) == ("agent:p", ["user:alice"], ["c"])


def test_what_was_refused_and_would_be_allowed_is_told() -> None:
    draft = PolicyRules(rules=[*NOW.rules, rule("user:carol", "tool:crm/*", id="carol")])
    _, [shift] = replayed(draft, row(caller("user:carol"), "tool:crm/x", ""))
    # Whether that call had met untrusted content is not on record.
    assert (shift.change, shift.reads) == ("open", ("taint",))
    _, [shift] = replayed(
        PolicyRules(rules=[rule("user:carol", "tool:*", id="c")]), row(caller("user:carol"), "tool:crm/x", "")
    )
    assert (shift.change, shift.after) == ("allowed", "c")


def test_a_rule_that_was_seen_to_hold_still_holds() -> None:
    draft = PolicyRules(rules=[*NOW.rules, rule("user:alice", "tool:crm/y", id="new")])
    allowed = row(caller(), "tool:crm/y", "crm")
    assert replayed(draft, allowed)[1] == []
    stricter = PolicyRules(
        rules=[
            NOW.rules[0],
            rule("user:alice", "tool:crm/*", id="crm", cond="args.amount <= 5"),
            *NOW.rules[2:],
        ]
    )
    _, [shift] = replayed(stricter, allowed)
    assert (shift.change, shift.reads) == ("open", ("args",))


def test_times_and_identity_are_read_from_the_row() -> None:
    draft = PolicyRules(rules=[rule("*", "model:*", id="hours", cond='hour == 8 and tier == "gold"')])
    calls = [row(caller(tier=tier), "model:fast", "models") for tier in ("gold", "free")]
    _, [shift] = replayed(draft, *calls)
    assert (shift.change, shift.count) == ("refused", 1)


def test_a_call_that_would_have_to_wait_for_a_person_is_told() -> None:
    draft = PolicyRules(
        rules=NOW.rules, approvals=[Approval(sub="user:bob", dom="acme", obj="model:*", act="invoke")]
    )
    _, [shift] = replayed(draft, row(caller("user:bob"), "model:fast", "models"))
    assert (shift.change, shift.count) == ("approval", 1)


def test_what_rules_did_not_decide_is_passed_over() -> None:
    rows = [
        row(caller(), "model:fast", "scope"),
        row(caller(), "tool:crm/*", "crm"),
        row(caller(), "agent:p", "", reason="delegation"),
        row_of(entry(caller(), decision=""), writer="w", seq=1, prev=""),
    ]
    replay, shifts = replayed(PolicyRules(), *rows)
    assert (replay.rows, replay.skipped, shifts) == (0, 4, [])
