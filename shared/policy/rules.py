"""Policy as it is configured and published, and everything that can be wrong with it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

import msgspec
from msgspec import Struct

from shared.policy import csv_file
from shared.policy.condition import BadCondition, parse
from shared.policy.decision import Approver
from shared.policy.names import ANY, PRINCIPALS, RESOURCES, SUBJECTS
from shared.policy.roles import DEEPEST, Catalogs, Roles

Effect = Literal["allow", "deny"]


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`*` stands for anything; `agent:*` as `sub` for every agent; `obj` may hold `*` anywhere or be a
    `catalog:`.

    `id` is what decisions show; without one it is the rule's place.
    """

    sub: str
    dom: str
    obj: str
    act: str
    cond: str = ""
    eft: Effect = "allow"
    id: str = ""


class RoleLink(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`member` (a principal, team, project, tier or role) has `role` in the tenant `dom` (`*`: in all)."""

    member: str
    role: str
    dom: str


class GroupLink(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`resource` (a name, a pattern or another catalog) is part of `catalog`."""

    resource: str
    catalog: str


class Approval(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is allowed only with a person's consent: an operator's, or with `approver: caller` also that of
    whoever calls, where they can be asked directly. Without an `id` it is known by its place.
    """

    sub: str
    dom: str
    obj: str
    act: str
    cond: str = ""
    approver: Approver = "operator"
    id: str = ""


class PolicyRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole policy; an empty one allows nothing. `files` are Casbin CSV files beside the configuration."""

    rules: list[Rule] = []
    roles: list[RoleLink] = []
    groups: list[GroupLink] = []
    approvals: list[Approval] = []
    files: list[str] = []


class PolicyProblems(ValueError):
    """A policy that cannot be used, with every reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def problems(rules: PolicyRules) -> list[str]:
    """Everything that is wrong, as `rules[3].cond: what`."""
    found = [f"rules[{n}].{text}" for n, rule in enumerate(rules.rules) for text in _rule(rule)]
    found += [
        f"approvals[{n}].{text}" for n, approval in enumerate(rules.approvals) for text in _rule(approval)
    ]
    found += [f"roles[{n}].{text}" for n, link in enumerate(rules.roles) for text in _role(link)]
    found += [f"groups[{n}].{text}" for n, link in enumerate(rules.groups) for text in _group(link)]
    return [*found, *_twice("rules", rules.rules), *_twice("approvals", rules.approvals), *_too_deep(rules)]


def read_files(rules: PolicyRules, base: Path) -> PolicyRules:
    """`rules` with what its files hold, and without the files. Raises PolicyProblems."""
    parts, found = [rules], []
    for n, name in enumerate(rules.files):
        try:
            lines, bad = csv_file.read(base / name)
        except (OSError, UnicodeDecodeError) as error:
            found.append(f"files[{n}]: {name} cannot be read: {error}")
            continue
        part, worse = _from_lines(lines, Path(name).name)
        parts.append(part)
        found += [f"files[{n}]: {name}: {text}" for text in (*bad, *worse)]
    if found:
        raise PolicyProblems(found)
    return PolicyRules(
        rules=[rule for part in parts for rule in part.rules],
        roles=[link for part in parts for link in part.roles],
        groups=[link for part in parts for link in part.groups],
        approvals=[approval for part in parts for approval in part.approvals],
    )


_LINES: dict[str, tuple[type[Struct], tuple[str, ...], int]] = {
    "p": (Rule, ("sub", "dom", "obj", "act", "cond", "eft"), 4),
    "p2": (Approval, ("sub", "dom", "obj", "act", "cond"), 4),
    "g": (RoleLink, ("member", "role", "dom"), 3),
    "g2": (GroupLink, ("resource", "catalog"), 2),
}


def _from_lines(lines: Iterable[csv_file.Line], name: str) -> tuple[PolicyRules, list[str]]:
    """Lines as rules. A rule is known by its file and line."""
    sorted_in: dict[str, list[dict[str, str]]] = {kind: [] for kind in _LINES}
    found = []
    for line in lines:
        _, names, least = _LINES[line.kind]
        if not least <= len(line.fields) <= len(names):
            found.append(
                f"line {line.number}: {line.kind} has {len(line.fields)} fields and takes {', '.join(names)}"
            )
            continue
        fields = dict(zip(names, line.fields, strict=False))
        if line.kind == "p":
            fields |= {"id": f"{name}:{line.number}", "eft": fields.get("eft") or "allow"}
            if fields["eft"] not in get_args(Effect):
                found.append(f"line {line.number}: the effect is allow or deny, not {fields['eft'][:40]!r}")
                continue
        sorted_in[line.kind].append(fields)
    return msgspec.convert(
        {
            "rules": sorted_in["p"],
            "approvals": sorted_in["p2"],
            "roles": sorted_in["g"],
            "groups": sorted_in["g2"],
        },
        PolicyRules,
    ), found


def _rule(rule: Rule | Approval) -> Iterator[str]:
    yield from _subject("sub", rule.sub, wild=True)
    yield from _whole("dom", rule.dom)
    yield from _whole("act", rule.act)
    yield from _resource("obj", rule.obj)
    if rule.cond:
        try:
            parse(rule.cond)
        except BadCondition as error:
            yield f"cond: {error}"


def _role(link: RoleLink) -> Iterator[str]:
    yield from _subject("member", link.member, wild=False)
    yield from _whole("dom", link.dom)
    if not link.role.startswith("role:") or link.role == "role:" or ANY in link.role:
        yield f"role: {link.role[:80]!r} must be called role:<name>"
    yield from _spaces("role", link.role)


def _group(link: GroupLink) -> Iterator[str]:
    yield from _resource("resource", link.resource)
    if not _catalog(link.catalog):
        yield f"catalog: {link.catalog[:80]!r} must be called catalog:<name>"
    yield from _spaces("catalog", link.catalog)


def _subject(field: str, name: str, *, wild: bool) -> Iterator[str]:
    kind, _, rest = name.partition(":")
    if wild and (name == ANY or (rest == ANY and kind in PRINCIPALS)):
        return
    if kind not in SUBJECTS or not rest:
        yield f"{field}: {name[:80]!r} must be <kind>:<name>, with a kind of {', '.join(SUBJECTS)}"
    elif ANY in rest:
        yield f"{field}: {name[:80]!r} may not hold a `*`" + (
            " unless it is `*` or `<kind>:*`" if wild else ""
        )
    yield from _spaces(field, name)


def _resource(field: str, name: str) -> Iterator[str]:
    kind = name.partition(":")[0]
    named = ":" in name and (kind in RESOURCES or _catalog(name))
    if not name.startswith(ANY) and not named:
        kinds = ", ".join((*RESOURCES, "catalog"))
        yield f"{field}: {name[:80]!r} must be <kind>:<name or pattern>, with a kind of {kinds}"
    yield from _spaces(field, name)


def _catalog(name: str) -> bool:
    return name.startswith("catalog:") and name != "catalog:" and ANY not in name


def _whole(field: str, name: str) -> Iterator[str]:
    if not name or (ANY in name and name != ANY):
        yield f"{field}: {name[:80]!r} must be a whole name or `*`"
    yield from _spaces(field, name)


def _spaces(field: str, name: str) -> Iterator[str]:
    if name != name.strip():
        yield f"{field}: {name[:80]!r} has spaces around it"


def _twice(kind: str, rules: Sequence[Rule | Approval]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for n, rule in enumerate(rules):
        if rule.id and seen.setdefault(rule.id, n) != n:
            yield f"{kind}[{n}].id: {rule.id[:80]!r} is the id of {kind}[{seen[rule.id]}] already"


def _too_deep(rules: PolicyRules) -> Iterator[str]:
    roles = Roles((link.member, link.role, link.dom) for link in rules.roles)
    for n, link in enumerate(rules.roles):
        if roles.cut(link.member, link.dom):
            yield f"roles[{n}]: more than {DEEPEST} roles follow one another from {link.member}"
    catalogs = Catalogs((link.resource, link.catalog) for link in rules.groups)
    for n, group in enumerate(rules.groups):
        if catalogs.cut(group.resource):
            yield f"groups[{n}]: more than {DEEPEST} catalogs follow one another from {group.resource}"
