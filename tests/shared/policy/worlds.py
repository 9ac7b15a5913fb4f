"""Small policies and requests that collide a lot, as Hypothesis strategies, and a caller to ask with."""

from typing import Any

from hypothesis import strategies as st

from shared.identity.principal import Caller, Principal
from shared.policy import Approval, GroupLink, PolicyRules, RoleLink, Rule

PRINCIPALS = ("user:a", "agent:p", "service:s")
ROLES = ("role:0", "role:1")
GROUPS = ("team:t", "project:x", "tier:gold")
CATALOGS = ("catalog:a", "catalog:b")
NAMES = ("model:gpt", "tool:git/log", "tool:fs/log", "agent:p/skill/s")
PATTERNS = ("*", "model:*", "tool:git/*", "tool:*/log", "tool:*i*g", "tool:f*i*g", "*/log", "agent:p/*")
CONDITIONS = (
    'tier == "gold"',
    "depth <= 1",
    "args.amount <= 500",
    "not (args.amount > 500)",
    '"untrusted" not in taint',
    'via("agent:p")',
    'team == "t" or args.amount == 1',
    "len(actors) > 1 and hop < 1",
    'startswith(tool, "git/") or lower(model) == "gpt"',
    "args.amount",
)
# What a caller might call itself or ask for in the hope of passing as something else.
HOSTILE_SUBJECTS = ("role:0", "team:t", "catalog:a", "*", "user:*", "", "agent:p ", "ùser:a", "USER:A")
HOSTILE_OBJECTS = (
    "*",
    "catalog:a",
    "model:*",
    "tool:git/*",
    "role:0",
    "",
    "tool:git",
    "model:",
    "tool:git/log ",
    "模:x",
)

# Repeated entries are drawn more often: most rules and requests are to be about one principal and tenant.
_dom = st.sampled_from(("acme", "acme", "acme", "*", "globex"))
_act = st.sampled_from(("invoke", "invoke", "invoke", "*", "list"))
_subject = st.sampled_from(("user:a", "*", "user:*", "role:0", *ROLES, *GROUPS, "agent:p", "agent:*"))
_fields = {
    "sub": _subject,
    "dom": _dom,
    "obj": st.sampled_from((*NAMES, *PATTERNS, *CATALOGS, *CATALOGS, *CATALOGS)),
    "act": _act,
    "cond": st.sampled_from(("",) * len(CONDITIONS) + CONDITIONS),
}
_links = st.builds(
    RoleLink,
    member=st.sampled_from(("user:a", "user:a", "team:t", "team:t", *PRINCIPALS, *ROLES, *GROUPS)),
    role=st.sampled_from(ROLES),
    dom=st.sampled_from(("acme", "*")),
)
_groups = st.builds(
    GroupLink, resource=st.sampled_from((*NAMES, *PATTERNS, *CATALOGS)), catalog=st.sampled_from(CATALOGS)
)
rules = st.builds(
    PolicyRules,
    rules=st.lists(
        st.builds(Rule, **_fields, eft=st.sampled_from(("allow", "allow", "deny"))), min_size=2, max_size=8
    ),
    roles=st.lists(_links, max_size=6),
    groups=st.lists(_groups, max_size=6),
    approvals=st.lists(st.builds(Approval, **_fields), max_size=3),
)
arguments = st.fixed_dictionaries(
    {}, optional={"amount": st.sampled_from((1, 500, 501, "500", None, True, [1]))}
)
contexts = st.fixed_dictionaries(
    {"tier": st.sampled_from(("gold", "free")), "hop": st.sampled_from((0, 0, 0, 1))},
    optional={
        "depth": st.integers(0, 2),
        "team": st.sampled_from(("t", "t", "t", "", None, ["t"])),
        "project": st.sampled_from(("x", "")),
        "roles": st.sampled_from((("0",), ("0", "1"), ("1",), (), None, "0", ("",))),
        "taint": st.sampled_from((frozenset[str](), frozenset({"untrusted"}), ["untrusted"], 7)),
        "actors": st.sampled_from((("user:a",), ("user:a", "agent:p"))),
        "args": arguments,
        "tool": st.just("git/log"),
        "model": st.sampled_from(("GPT", 4)),
    },
)
requests = st.tuples(
    st.sampled_from((*("user:a",) * 16, *PRINCIPALS, *HOSTILE_SUBJECTS)),
    st.sampled_from((*("acme",) * 12, "globex", "initech", "*", "")),
    st.sampled_from((*NAMES * 6, *HOSTILE_OBJECTS)),
    st.sampled_from((*("invoke",) * 12, "list", "read", "*", "")),
    contexts,
)
callers = st.builds(
    lambda actors, principal: Caller(
        principal=Principal(sub=actors[0], **principal), actors=actors, chain="c", credential="key"
    ),
    st.lists(st.sampled_from(PRINCIPALS), min_size=1, unique=True).map(tuple),
    st.fixed_dictionaries(
        {
            "tenant": st.sampled_from(("acme", "globex")),
            "team": st.sampled_from(("t", "")),
            "project": st.sampled_from(("x", "")),
            "tier": st.sampled_from(("gold", "")),
            "scope": st.sampled_from(((), (), ("model:*", "tool:git/*"), ("*",))),
            "roles": st.sampled_from(((), (), ("0",), ("0", "1"))),
        }
    ),
)


def caller(*actors: str, **principal: Any) -> Caller:
    """A caller of the tenant acme; `caller("user:a", "agent:p")` is agent:p on behalf of user:a."""
    sub = actors[0] if actors else "user:a"
    return Caller(
        principal=Principal(sub=sub, **({"tenant": "acme"} | principal)),
        actors=actors or ("user:a",),
        chain="c",
        credential="key",
        key="k1",
    )


def rule(sub: str, obj: str, *, dom: str = "acme", act: str = "invoke", **more: Any) -> Rule:
    return Rule(sub=sub, dom=dom, obj=obj, act=act, **more)
