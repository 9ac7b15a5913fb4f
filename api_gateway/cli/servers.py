"""`gatestack catalog servers`: the registry of MCP servers: what is in it, publish, import."""

from collections.abc import Sequence

from cyclopts import App

from api_gateway.cli import published
from api_gateway.cli.published import Files
from api_gateway.cli.remote import Remote
from api_gateway.cli.shelf import Found, Shelf
from api_gateway.cli.show import Output, lines
from api_gateway.server_json import OFFICIAL, OURS
from shared.approvals import visible

_HERE = Remote()
app = App(name="servers", help="The registry of MCP servers.")


def register(parent: App) -> None:
    parent.command(app)


@app.command
def search(words: str, *, remote: Remote = _HERE) -> Output:
    """List the servers that have WORDS in their name."""
    return _SHELF.found(remote, {"search": words, "version": "latest"})


@app.command
def publish(
    *,
    file: Files,
    owner: str = "",
    label: tuple[str, ...] = (),
    reason: str = "",
    remote: Remote = _HERE,
) -> Output:
    """Publish the version of a server that a server.json describes. It is found, and not called.

    Parameters
    ----------
    file
        The server.json; may be given more than once.
    owner
        Whose it is: a team or a person. Default: you.
    label
        A fact for policy; may be given more than once.
    reason
        Why; kept in the ledger.
    """
    own = {"owner": owner, "labels": label}
    servers = [published.read(each) for each in file]
    asked = [server | {"_meta": _meta(server) | {OURS: own}} for server in servers]
    made = [published.send(remote, "/catalog/servers", server, reason) for server in asked]
    text = [line for one in made for line in _published(one)]
    return Output(made, lines(*text), as_json=remote.json)


@app.command(name="import")
def bring(
    registry: str,
    *,
    search: str = "",
    limit: int = 100,
    reason: str = "",
    dry_run: bool = False,
    remote: Remote = _HERE,
) -> Output:
    """Import the latest versions that another registry lists: found from now on, and not called.

    Parameters
    ----------
    registry
        The registry's address up to its version, like https://registry.example/v0.1
    search
        Only servers with this in their name.
    limit
        How many at most.
    reason
        Why; kept in the ledger.
    dry_run
        Only show what would come.
    """
    body = {"url": registry, "search": search, "limit": limit, "dry_run": dry_run}
    found = published.send(remote, "/catalog/servers/import", body, reason)
    return Output(found, lines(*_imported(found)), as_json=remote.json)


def _row(each: Found) -> Sequence[str]:
    server, own = each["server"], each["_meta"][OURS]
    return (
        visible(server["name"]),
        server["version"],
        own["state"],
        visible(own["owner"]) or "-",
        own.get("server", "-"),
        visible(server.get("description", "")),
    )


def _described(found: Found) -> list[str]:
    server, own, official = found["server"], found["_meta"][OURS], found["_meta"][OFFICIAL]
    text = [f"{server['name']}  {server['version']}  {own['state']}", f"  {server.get('description', '')}"]
    text += [f"  {name}: {own[name]}" for name in ("owner", "source") if own[name]]
    text += [f"  {official['statusMessage']}"] if official.get("statusMessage") else []
    text += [f"  {remote['type']}  {remote['url']}" for remote in server.get("remotes", ())]
    packages = server.get("packages", ())
    text += [f"  {package['registryType']}  {package['identifier']}" for package in packages]
    if not own.get("callable"):
        text.append("  not called through this stack: that takes a server in the configuration")
    return [visible(line) for line in text]


def _published(made: Found) -> list[str]:
    server = made["server"]
    return published.published(server["name"], server["version"], made["_meta"][OURS])


def _meta(server: Found) -> Found:
    given = server.get("_meta")
    return given if isinstance(given, dict) else {}


def _named(each: dict[str, str]) -> str:
    return f"{visible(each['name'])} {each['version']}"


def _imported(found: Found) -> list[str]:
    done = "would be imported" if found["dry_run"] else "imported"
    text = [f"{done}: {_named(each)}" for each in found["imported"]]
    text += [f"in quarantine: {_named(each)}" for each in found["quarantined"]]
    text += [f"deleted there, and here: {_named(each)}" for each in found["deleted"]]
    text += [f"left out: {visible(why)}" for why in found["skipped"]]
    if found["more"]:
        text.append("there is more: narrow it with --search, or raise --limit")
    return text or ["nothing new"]


_SHELF = Shelf(
    kind="servers",
    headings=("name", "version", "state", "owner", "called as", "description"),
    row=_row,
    described=_described,
)
_SHELF.commands(app)
