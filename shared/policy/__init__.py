"""Policy: who may do what to which resource, and why, by one Casbin model. Casbin is known here only."""

from shared.policy.condition import BadCondition
from shared.policy.decision import Decision, Explanation, HopExplanation, MatchedRule
from shared.policy.document import PolicyDocument, PolicyTest
from shared.policy.grant import Grant, authorize, granted
from shared.policy.policy import Policy, PolicyBox
from shared.policy.rules import (
    Approval,
    GroupLink,
    PolicyProblems,
    PolicyRules,
    RoleLink,
    Rule,
    problems,
    read_files,
)
from shared.policy.scope import in_scope

__all__ = [
    "Approval",
    "BadCondition",
    "Decision",
    "Explanation",
    "Grant",
    "GroupLink",
    "HopExplanation",
    "MatchedRule",
    "Policy",
    "PolicyBox",
    "PolicyDocument",
    "PolicyProblems",
    "PolicyRules",
    "PolicyTest",
    "RoleLink",
    "Rule",
    "authorize",
    "granted",
    "in_scope",
    "problems",
    "read_files",
]
