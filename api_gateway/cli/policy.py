"""`gatestack policy`: ask policy about one decision."""

from typing import Any

from cyclopts import App

from api_gateway.cli.remote import CommandFailed, Remote
from api_gateway.cli.show import Output, lines

_HERE = Remote()
app = App(name="policy", help="The policy that all four services enforce.")


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
    fact: tuple[str, ...] = (),
    remote: Remote = _HERE,
) -> Output:
    """May ACTORS do ACTION to RESOURCE, and why?

    Parameters
    ----------
    actors
        One principal, or a chain with commas, origin first: user:alice,agent:planner
    resource
        model:<alias>, tool:<server>/<name>, agent:<name>, route:<name>, admin:<area>
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
        "facts": _facts(fact),
    }
    answer = remote.post("/policy/explain", body)
    return Output(answer, lines(*_told(answer)), as_json=remote.json, code=0)


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
    told = [f"{_verdict(decision)}  {decision['why']}  (policy epoch {decision['epoch']})"]
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
