"""The one Casbin model of all services, and the functions that its matchers call.

Stock Casbin decides by this text alone; `compiled.py` decides the same without walking every rule.
"""

from collections.abc import Mapping
from typing import Any

from shared.policy.condition import parse

# `g` holds principal, role, domain; `g2` holds resource or pattern, catalog. `p2` says what needs a person's
# approval.
MODEL = """
[request_definition]
r = sub, dom, obj, act, ctx

[policy_definition]
p = sub, dom, obj, act, cond, eft
p2 = sub, dom, obj, act, cond

[role_definition]
g = _, _, _
g2 = _, _

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = nameable(r.sub, r.dom, r.obj, r.act) && \\
    (p.dom == "*" || p.dom == r.dom) && (p.act == "*" || p.act == r.act) && \\
    (covers(p.obj, r.obj) || g2(r.obj, p.obj)) && \\
    (p.sub == "*" || p.sub == anyof(r.sub) || g(r.sub, p.sub, r.dom) || member(r.ctx, p.sub, r.dom)) && \\
    holds(p.cond, r.ctx, p.eft)
m2 = nameable(r.sub, r.dom, r.obj, r.act) && \\
    (p2.dom == "*" || p2.dom == r.dom) && (p2.act == "*" || p2.act == r.act) && \\
    (covers(p2.obj, r.obj) || g2(r.obj, p2.obj)) && \\
    (p2.sub == "*" || p2.sub == anyof(r.sub) || g(r.sub, p2.sub, r.dom) || member(r.ctx, p2.sub, r.dom)) && \\
    holds(p2.cond, r.ctx, "deny")
"""


def holds(cond: str, ctx: Mapping[str, Any], eft: str) -> bool:
    """A condition that cannot be told does not allow, does deny, and does ask for approval."""
    return not cond or parse(cond).holds(ctx, unknown=eft == "deny")
