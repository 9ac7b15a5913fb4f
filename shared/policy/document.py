"""A policy as somebody writes it: the rules, and the table of examples that they must get right."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from shared.policy.rules import PolicyRules

Expected = Literal["allow", "deny", "approval"]


class PolicyTest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One example. `sub` is a principal or a chain, origin first (`user:alice,agent:planner` or a list).

    `ctx` has what conditions read: the origin's team, project and tier, its key, and the facts of the call.
    `expect` is what must come out (`approval`: allowed with a person's consent), `rule` by which rule.
    """

    sub: str | Annotated[list[str], Meta(min_length=1)]
    dom: str
    obj: str
    act: str = "invoke"
    ctx: dict[str, Any] = {}
    expect: Expected
    rule: str = ""
    name: str = ""

    @property
    def actors(self) -> tuple[str, ...]:
        parts = self.sub.split(",") if isinstance(self.sub, str) else self.sub
        return tuple(part.strip() for part in parts)


class PolicyDocument(PolicyRules, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tests are read by `gatestack policy check` and never published."""

    tests: list[PolicyTest] = field(default_factory=list)
