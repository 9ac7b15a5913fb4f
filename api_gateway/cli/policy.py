"""`gatestack policy`: ask policy about one decision, about everybody, and about what would change."""

from typing import Any

from cyclopts import App
from rich.markup import escape

from api_gateway.cli import policy_check, policy_versions
from api_gateway.cli.remote import CommandFailed, Remote
from api_gateway.cli.show import Output, lines, table

_HERE = Remote()
_SHOWN = 3
app = App(name="policy", help="The policy that all four services enforce.")
for verbs in (policy_check, policy_versions):
    verbs.register(app)


def register(parent: App) -> None:
    parent.command(app)


@app.command
def explain(
    actors: str,
    resource: str,
    action: str = "invoke",
    *,
    tenant: str = "",
    team: str = "",
    tier: str = "",
    project: str = "",
    role: tuple[str, ...] = (),
    fact: tuple[str, ...] = (),
    remote: Remote = _HERE,
) -> Output:
    """May ACTORS do ACTION to RESOURCE, and why?

    Parameters
    ----------
    actors
        One principal, or a chain with commas, origin first: user:alice,agent:planner
    tenant
        Where; without it, your own.
    team
        The origin's, as its key would say it: nobody's key is looked up. The same for tier and project.
    resource
        model:<alias>, tool:<server>/<name>, agent:<name>, route:<name>, admin:<area>
    role
        A role that the origin's identity provider gives; may be given more than once.
    fact
        name=value for conditions, like args.amount=500; may be given more than once.
    """
    body = {
        "actors": [part.strip() for part in actors.split(",") if part.strip()],
        "resource": resource,
        "action": action,
        "tenant": tenant,
        "team": team,
        "tier": tier,
        "project": project,
        "roles": role,
        "facts": _facts(fact),
    }
    answer = remote.post("/policy/explain", body)
    told = _told(answer)
    if not answer["decision"]["allowed"] and not (team or tier or project or role):
        told.append("asked without --team, --tier, --project and --role: rules for those did not count")
    return Output(answer, lines(*told), as_json=remote.json)


@app.command
def who_can(
    action: str,
    resource: str,
    *,
    tenant: str = "",
    kind: str = "",
    fact: tuple[str, ...] = (),
    remote: Remote = _HERE,
) -> Output:
    """Who can do ACTION to RESOURCE? Everybody whom the policy names or who holds a key.

    Parameters
    ----------
    action
        invoke, list, read, cancel, manage, or `*` for any of them.
    resource
        A resource (tool:crm/refund), a pattern (`tool:crm/*`) or a catalog (catalog:customer-data).
    tenant
        Only this tenant; without it, all that you administer.
    kind
        Only users, agents or services: user, agent, service.
    fact
        name=value that conditions may take as given, like tier=gold.
    """
    body = {"action": action, "resource": resource, "tenant": tenant, "kind": kind, "facts": _facts(fact)}
    answer = remote.post("/policy/who-can", body)
    rows = [
        (row["name"], row["tenant"], row["team"] or "-", row["verdict"], _terms(row), ", ".join(row["rules"]))
        for row in answer["who"]
    ]
    headings = ("who", "tenant", "team", "when", "terms", "by")
    empty = f"nobody who is known can {action} {resource}"
    return Output(answer, table(headings, rows, empty=empty), as_json=remote.json)


@app.command
def what_can(
    principal: str,
    *,
    tenant: str = "",
    team: str = "",
    project: str = "",
    tier: str = "",
    within: str = "*",
    fact: tuple[str, ...] = (),
    remote: Remote = _HERE,
) -> Output:
    """What can PRINCIPAL do?

    Parameters
    ----------
    principal
        user:<name>, agent:<name> or service:<name>
    team
        As a member of this team; without team, project and tier, as its keys say.
    within
        Only what is under this name, pattern or catalog, like `tool:*` or catalog:customer-data.
    """
    body = {
        "principal": principal,
        "tenant": tenant,
        "team": team,
        "project": project,
        "tier": tier,
        "within": within,
        "facts": _facts(fact),
    }
    answer = remote.post("/policy/what-can", body)
    rows = [
        (
            person["as"]["team"] or "-",
            line["action"],
            line["resource"] + (f" ({len(line['inside'])} inside)" if line["inside"] else ""),
            line["standing"]["verdict"],
            _terms(line["standing"]),
            ", ".join(line["standing"]["rules"]),
        )
        for person in answer["people"]
        for line in person["can"]
    ]
    headings = ("as of team", "action", "resource", "when", "terms", "by")
    empty = f"{principal} can do nothing in {answer['tenant']}"
    return Output(answer, table(headings, rows, empty=empty), as_json=remote.json)


def _terms(row: dict[str, Any]) -> str:
    """What a `sometimes` hangs on, who is between, and which of the keys would do."""
    found = [f"if {' or '.join(row['when'])}"] if row["when"] else []
    found += [f"unless {' or '.join(row['unless'])}"] if row["unless"] else []
    found += [f"not {', '.join(row['but'])}"] if row["but"] else []
    found += [] if row["whole"] else ["only some of it"]
    found += ["a person may have to consent"] if row["approval"] else []
    if row.get("caller_count"):
        more = row["caller_count"] - _SHOWN
        shown = ", ".join(row["callers"][:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        found.append(f"for {shown}")
    if row.get("keys") and not row["usable_keys"]:
        found.append("no key of theirs has the scope")
    return escape("; ".join(found))


def _facts(parts: tuple[str, ...]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals:
            raise CommandFailed(f"{part!r}: write a fact as name=value", 2)
        place = facts
        *path, last = name.split(".")
        for step in path:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise CommandFailed(f"{part!r}: {step} has a value already, and cannot have members", 2)
        place[last] = _value(value)
    return facts


def _value(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text, text)


def _told(answer: dict[str, Any]) -> list[str]:
    decision = answer["decision"]
    where = f"(tenant {answer['tenant']}, policy epoch {decision['epoch']})"
    told = [f"{_verdict(decision)}  {decision['why']}  {where}"]
    for hop in answer["hops"]:
        told.append(f"  {hop['principal']}: {_verdict(hop['decision'])}  {hop['decision']['why']}")
        told.append(f"    looked up as {', '.join(hop['subjects'])}")
        told += [f"    {_rule(rule)}" for rule in hop["rules"]]
    return told


def _verdict(decision: dict[str, Any]) -> str:
    return "ALLOWED" if decision["allowed"] else "REFUSED"


def _rule(rule: dict[str, Any]) -> str:
    held = {True: "holds", False: "does not hold", None: "cannot be told"}[rule["held"]]
    condition = f" when {rule['cond']} ({held})" if rule["cond"] else ""
    return f"{rule['effect']:5} {rule['id']}: {rule['sub']} {rule['act']} {rule['obj']}{condition}"
