"""`gatestack catalog agents`: which agents are registered, which card of theirs is approved."""

from typing import Any

from cyclopts import App

from api_gateway.cli import servers, skills, tools
from api_gateway.cli.remote import Remote, named
from api_gateway.cli.show import Output, lines, table
from shared.approvals import visible

_HERE = Remote()
app = App(name="catalog", help="What there is to be called.")
agents = App(name="agents", help="Agents that were registered, and what has changed in their cards.")
app.command(agents)
for noun in (servers, skills, tools):
    noun.register(app)


def register(parent: App) -> None:
    parent.command(app)


@agents.command(name="list")
def listing(*, tenant: str = "", remote: Remote = _HERE) -> Output:
    """List registered agents, and every agent in quarantine with what has changed."""
    found = remote.get("/agents", tenant=tenant)
    return Output(found, lines(*told(found)) if found["agents"] else _NONE, as_json=remote.json)


@agents.command
def search(text: str = "", *, skill: str = "", tag: str = "", remote: Remote = _HERE) -> Output:
    """List the agents that you may use and that do something like TEXT, by words and by meaning, best first;
    without it all of them, those of the configuration too.

    Parameters
    ----------
    skill
        Only those with a skill of this id.
    tag
        Only those with this tag.
    """
    found = remote.agents({"like": text, "skill": skill, "tag": tag})["agents"]
    rows = [
        (
            each["name"],
            each["state"],
            visible(each["owner"]) or "-",
            visible(", ".join(one["id"] for one in each["skills"])) or "-",
            visible(each["description"]),
        )
        for each in found
    ]
    headings = ("agent", "state", "owner", "skills", "description")
    return Output(found, table(headings, rows, empty="there is no such agent"), as_json=remote.json)


@agents.command
def add(
    name: str,
    card_url: str,
    *,
    tenant: str = "",
    owner: str = "",
    version: str = "",
    label: tuple[str, ...] = (),
    tag: tuple[str, ...] = (),
    pin: str = "",
    dry_run: bool = False,
    remote: Remote = _HERE,
) -> Output:
    """Register the agent whose card is at CARD_URL. Its card is approved as it is now.

    Parameters
    ----------
    tenant
        Who may use it; nothing for everybody.
    label
        What a chain that calls it is tainted with; may be given more than once.
    pin
        The hash of the card that you looked at: another one is refused.
    dry_run
        Only show what the card says.
    """
    if dry_run:
        seen = remote.post("/agents/preview", {"card_url": card_url})
        return Output(seen, lines(*_previewed(seen)), as_json=remote.json)
    body = {
        "card_url": card_url,
        "tenant": tenant,
        "owner": owner,
        "version": version,
        "labels": label,
        "tags": tag,
        "pin": pin,
    }
    made = remote.put(f"/agents/{named(name)}", body)
    return Output(made, lines(f"{name} is registered with the card {made['pin']}"), as_json=remote.json)


@agents.command
def remove(name: str, *, remote: Remote = _HERE) -> Output:
    """Remove a registered agent: from now on nobody can call it."""
    return Output(remote.delete(f"/agents/{named(name)}"), lines(f"removed {name}"), as_json=remote.json)


@agents.command
def approve(name: str, *, pin: str = "", remote: Remote = _HERE) -> Output:
    """Approve the card that NAME has now, which ends its quarantine.

    Parameters
    ----------
    pin
        The hash of the card that you looked at: another one is not approved.
    """
    made = remote.post(f"/agents/{named(name)}/approve", {"pin": pin})
    return Output(made, lines(f"{name}: the card {made['pin']} is approved"), as_json=remote.json)


@agents.command
def dismiss(name: str, *, remote: Remote = _HERE) -> Output:
    """Look at NAME anew: it comes out of quarantine if its card is again the approved one."""
    answer = remote.post(f"/agents/{named(name)}/dismiss", {})
    return Output(answer, lines(f"{name} is looked at anew"), as_json=remote.json)


def told(found: dict[str, Any]) -> list[str]:
    """The agents in lines, what has changed below those that are in quarantine."""
    text = []
    for agent in found["agents"]:
        where = agent["card_url"] or "(configuration file)"
        tenant = agent["tenant"] or "all tenants"
        text.append(f"{agent['name']}  {agent['state']}  {tenant}  {agent['owner'] or '-'}  {where}")
        if drift := agent.get("drift"):
            text.append(f"  {drift['why']}: {drift['pin']}")
            text += [f"    {change}" for change in drift["changes"]]
    return text


_NONE = table(
    (),
    (),
    empty="no agent is registered; `gatestack catalog agents search` shows those of the configuration too",
)


def _previewed(seen: dict[str, Any]) -> list[str]:
    card = seen["card"]
    skills = [skill.get("id", "") for skill in card.get("skills", [])]
    return [
        f"{card.get('name', '')}  {card.get('version', '')}",
        f"  {card.get('description', '')}",
        f"  skills: {', '.join(skills) or 'none'}",
        f"  signed by {seen['kid'] or 'a known key'}" if seen["signed"] else "  not signed by a known key",
        f"  pin {seen['pin']}",
    ]
