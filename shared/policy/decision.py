"""What policy answers: a decision, and the explanation of one."""

from typing import Literal

from msgspec import Struct

Approver = Literal["operator", "caller"]


class Decision(Struct, frozen=True):
    """`rule` decided ("" where none did) about the principal `hop`: of a refused chain the one refused, of an
    allowed chain the one that acts. `approval` says that a person has to consent first, `asks` which rule
    wants that, and `approver` whether whoever calls may be that person.
    """

    allowed: bool
    rule: str
    epoch: int
    hop: str
    why: str
    approval: bool = False
    asks: str = ""
    approver: Approver = "operator"


class MatchedRule(Struct, frozen=True, kw_only=True):
    """A rule that is about this principal, resource and action. `held` is its condition's outcome: None where
    it could not be told, which counts as `counted`."""

    id: str
    effect: str
    sub: str
    dom: str
    obj: str
    act: str
    cond: str
    held: bool | None
    counted: bool


class HopExplanation(Struct, frozen=True, kw_only=True):
    """One principal of the chain: what it was looked up as (itself, roles, groups) and what was found."""

    principal: str
    subjects: tuple[str, ...]
    rules: tuple[MatchedRule, ...]
    decision: Decision


class Explanation(Struct, frozen=True, kw_only=True):
    """A decision with all that led to it. `hops` is empty where no rule was asked."""

    resource: str
    action: str
    tenant: str
    catalogs: tuple[str, ...]
    hops: tuple[HopExplanation, ...]
    decision: Decision
