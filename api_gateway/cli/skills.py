"""`gatestack catalog skills`: the registry of skills: find, read and publish them."""

from collections.abc import Sequence

from cyclopts import App

from api_gateway.cli import published
from api_gateway.cli.published import Files
from api_gateway.cli.remote import Remote
from api_gateway.cli.shelf import Found, Shelf
from api_gateway.cli.show import Output, lines
from api_gateway.server_json import OURS
from shared.approvals import visible

_HERE = Remote()
app = App(name="skills", help="The registry of skills: instructions, with what they need.")


def register(parent: App) -> None:
    parent.command(app)


@app.command
def search(words: str, *, remote: Remote = _HERE) -> Output:
    """List the skills that fit WORDS, by words and by meaning, best first."""
    return _SHELF.found(remote, {"search": words})


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


def _row(each: Found) -> Sequence[str]:
    skill, own = each["skill"], each["_meta"][OURS]
    return (
        skill["id"],
        skill["version"],
        own["state"],
        visible(own["owner"]) or "-",
        "yes" if skill["complete"] else "no",
        visible(skill["description"]),
    )


def _described(found: Found) -> list[str]:
    skill, own = found["skill"], found["_meta"][OURS]
    text = [f"{skill['id']}  {skill['version']}  {own['state']}  {own['owner']}", f"  {skill['description']}"]
    for need in skill["needs"]:
        text.append(f"  {need['kind']} {need['name']}: {'ready' if need['ready'] else 'missing'}")
    return [visible(line) for line in (*text, "", *skill["instructions"].split("\n"))]


_SHELF = Shelf(
    kind="skills",
    headings=("skill", "version", "state", "owner", "complete", "description"),
    row=_row,
    described=_described,
)
_SHELF.commands(app)
