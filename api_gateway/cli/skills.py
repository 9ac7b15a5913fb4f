"""`gatestack catalog skills`: the registry of skills: find, read and publish them."""

from typing import Any
from urllib.parse import quote

from cyclopts import App

from api_gateway.cli import published
from api_gateway.cli.published import OURS, Files
from api_gateway.cli.remote import Remote
from api_gateway.cli.show import Output, lines, table
from shared.approvals import visible

_HERE = Remote()
_PATH = "/skills"
app = App(name="skills", help="The registry of skills: instructions, with what they need.")


def register(parent: App) -> None:
    parent.command(app)


@app.command(name="list")
def listing(*, all_versions: bool = False, remote: Remote = _HERE) -> Output:
    """List the skills that you may read.

    Parameters
    ----------
    all_versions
        Not only the latest of each.
    """
    return _listed(remote, {} if all_versions else {"version": "latest"})


@app.command
def search(words: str, *, remote: Remote = _HERE) -> Output:
    """List the skills that fit WORDS, by words and by meaning, best first."""
    return _listed(remote, {"search": words})


@app.command
def show(skill: str, *, version: str = "latest", remote: Remote = _HERE) -> Output:
    """Show one version of a skill, with what it needs and what of that is missing."""
    found = remote.registry(f"{_PATH}/{quote(skill, safe='')}/versions/{quote(version, safe='')}")
    return Output(found, lines(*_described(found)), as_json=remote.json)


@app.command
def publish(*, file: Files, reason: str = "", remote: Remote = _HERE) -> Output:
    """Publish a version of a skill.

    Parameters
    ----------
    file
        JSON with id, version, description, instructions, and if need be title, tools, prompts, models, owner,
        labels, state; may be given more than once.
    reason
        Why; kept in the ledger.
    """
    asked = [published.read(each) for each in file]
    made = [published.send(remote, "/catalog/skills", skill, reason) for skill in asked]
    text = [line for one in made for line in published.published(one["name"], one["version"], one)]
    return Output(made, lines(*text), as_json=remote.json)


@app.command
def state(
    skill: str, version: str, to: str, *, reason: str = "", etag: str = "", remote: Remote = _HERE
) -> Output:
    """Say that VERSION of a published skill is active, deprecated or deleted.

    Parameters
    ----------
    reason
        Why; kept in the ledger, and shown to whoever looks for the skill.
    etag
        That of the version that you have looked at: of another one nothing is changed. What is in quarantine
        does not leave it without.
    """
    body = {"name": skill, "version": version, "state": to}
    return published.stated(remote, "skills", body, reason, etag)


@app.command
def kept(*, state: str = "", name: str = "", content: bool = False, remote: Remote = _HERE) -> Output:
    """List every version as it is kept, for operators: by whom, why, and what seems to be hidden in it.

    Parameters
    ----------
    state
        Only those that are active, deprecated, deleted or quarantined.
    name
        Only these; * is any text.
    content
        With what they say, hidden characters written out.
    """
    return published.kept(remote, "skills", state, name, content=content)


def _listed(remote: Remote, query: dict[str, str]) -> Output:
    found = remote.registry_pages(_PATH, query)
    rows = [
        (
            each["skill"]["id"],
            each["skill"]["version"],
            each["_meta"][OURS]["state"],
            visible(each["_meta"][OURS]["owner"]) or "-",
            "yes" if each["skill"]["complete"] else "no",
            visible(each["skill"]["description"]),
        )
        for each in found
    ]
    headings = ("skill", "version", "state", "owner", "complete", "description")
    return Output(found, table(headings, rows, empty="there is no such skill"), as_json=remote.json)


def _described(found: dict[str, Any]) -> list[str]:
    skill, own = found["skill"], found["_meta"][OURS]
    text = [f"{skill['id']}  {skill['version']}  {own['state']}  {own['owner']}", f"  {skill['description']}"]
    for need in skill["needs"]:
        text.append(f"  {need['kind']} {need['name']}: {'ready' if need['ready'] else 'missing'}")
    return [visible(line) for line in (*text, "", *skill["instructions"].split("\n"))]
