"""What is allowed only with a person's consent, and whose."""

from shared.policy import Approval, Policy, PolicyRules, Rule
from shared.policy.rules import problems
from tests.shared.policy.worlds import caller, rule


def _policy(*rules: Rule, approvals: list[Approval]) -> Policy:
    return Policy.compile(PolicyRules(rules=list(rules), approvals=approvals), 1)


def test_approval_is_asked_for_when_any_principal_of_the_chain_needs_it() -> None:
    policy = _policy(
        rule("*", "*"),
        approvals=[Approval(sub="user:a", dom="acme", obj="tool:pay/*", act="*", cond="args.amount > 500")],
    )
    for amount, approval in ((5, False), (501, True), (None, True)):
        facts = {"args": {"amount": amount}}
        decision = policy.decide_chain(caller("user:a", "agent:p"), "tool:pay/send", "invoke", facts)
        assert (decision.allowed, decision.approval, decision.hop) == (True, approval, "agent:p")
    assert not policy.decide_chain(caller("agent:p"), "tool:pay/send", "invoke").approval


def test_of_several_who_want_consent_the_strictest_says_whose() -> None:
    policy = _policy(
        rule("*", "*"),
        approvals=[
            Approval(id="own", sub="*", dom="*", obj="tool:*", act="*", approver="caller"),
            Approval(id="dear", sub="user:a", dom="*", obj="tool:pay/*", act="*", cond="args.amount > 500"),
        ],
    )
    for amount, asks, approver in ((5, "own", "caller"), (501, "dear", "operator")):
        for actors in (("user:a",), ("user:a", "agent:p")):
            facts = {"args": {"amount": amount}}
            decision = policy.decide_chain(caller(*actors), "tool:pay/send", "invoke", facts)
            assert (decision.approval, decision.asks, decision.approver) == (True, asks, approver)


def test_what_is_refused_needs_no_approval() -> None:
    policy = _policy(approvals=[Approval(sub="*", dom="*", obj="*", act="*")])
    assert not policy.decide_chain(caller(), "model:x", "invoke").approval


def test_an_id_belongs_to_one_approval() -> None:
    twice = [Approval(id="own", sub="*", dom="*", obj="tool:*", act="*")] * 2
    assert problems(PolicyRules(approvals=twice)) == [
        "approvals[1].id: 'own' is the id of approvals[0] already"
    ]
