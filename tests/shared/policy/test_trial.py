"""A policy's own examples say what must come out, and those that come out otherwise say why."""

from typing import Any

from shared.policy import Approval, Policy, PolicyDocument, PolicyRules, PolicyTest
from shared.policy.trial import tried
from tests.shared.policy.worlds import rule

POLICY = Policy.compile(
    PolicyRules(
        rules=[
            rule("team:support", "tool:crm/*", id="support", cond="args.amount <= 500 and depth <= 1"),
            rule("agent:planner", "tool:crm/*", id="planner"),
            rule("*", "model:*", id="models", cond='hour >= 8 and weekday == "mon"'),
        ],
        approvals=[Approval(sub="agent:*", dom="acme", obj="tool:crm/*", act="invoke")],
    ),
    1,
)


def example(sub: str | list[str], obj: str, expect: str, rule: str = "", **ctx: Any) -> PolicyTest:
    return PolicyTest(sub=sub, dom="acme", obj=obj, ctx=ctx, expect=expect, rule=rule)  # type: ignore[arg-type]


def test_examples_that_come_out_as_expected_are_not_told() -> None:
    small: dict[str, Any] = {"args": {"amount": 5}, "team": "support"}
    examples = [
        example("user:alice", "tool:crm/refund", "allow", **small),
        example("user:alice", "tool:crm/refund", "allow", "support", **small),
        example("user:alice, agent:planner", "tool:crm/refund", "approval", "planner", **small),
        example(["user:alice", "agent:other"], "tool:crm/refund", "deny", **small),
        example("user:alice", "tool:crm/refund", "deny", args={"amount": 501}, team="support"),
        example("user:alice", "tool:crm/refund", "deny", depth=2, **small),
        example("user:bob", "model:x", "allow", hour=9, weekday="mon"),
        example("user:bob", "model:x", "deny", hour=9, weekday="sun"),
    ]
    assert tried(POLICY, examples) == []


def test_each_failure_says_what_was_asked_and_why_it_came_out_so() -> None:
    examples = [
        example("user:alice", "tool:crm/refund", "allow"),
        example("agent:planner", "tool:crm/refund", "allow"),
        example("agent:planner", "tool:crm/refund", "approval", "support"),
    ]
    first, second, third = tried(POLICY, examples)
    assert (first.place, first.expected, first.got) == ("tests[0]", "allow", "deny")
    assert first.asked == "user:alice in acme: invoke tool:crm/refund"
    assert first.why == "user:alice: no rule allows it"
    assert (second.got, third.expected, third.got) == (
        "approval",
        "approval by support",
        "approval by planner",
    )


def test_a_documents_tests_are_no_part_of_what_is_published() -> None:
    document = PolicyDocument(rules=[rule("*", "model:*")], tests=[example("user:a", "model:x", "allow")])
    assert "tests" not in PolicyRules.__struct_fields__
    assert tried(Policy.compile(document, 1), document.tests) == []
