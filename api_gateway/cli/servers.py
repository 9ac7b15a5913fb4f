"""`gatestack catalog servers`: the registry of MCP servers: what is in it, publish, import."""

from typing import Any
from urllib.parse import quote

from cyclopts import App

from api_gateway.cli import published
from api_gateway.cli.published import OURS, Files
from api_gateway.cli.remote import Remote
from api_gateway.cli.show import Output, lines, table
from shared.approvals import visible

_HERE = Remote()
_OFFICIAL = "io.modelcontextprotocol.registry/official"
_PATH = "/servers"
app = App(name="servers", help="The registry of MCP servers.")


def register(parent: App) -> None:
    parent.command(app)


@app.command(name="list")
def listing(*, all_versions: bool = False, remote: Remote = _HERE) -> Output:
    """List the servers that you may use or know of.

    Parameters
    ----------
    all_versions
        Not only the latest of each.
    """
    return _listed(remote, {} if all_versions else {"version": "latest"})


@app.command
def search(words: str, *, remote: Remote = _HERE) -> Output:
    """List the servers that have WORDS in their name."""
    return _listed(remote, {"search": words, "version": "latest"})


@app.command
def show(name: str, *, version: str = "latest", remote: Remote = _HERE) -> Output:
    """Show one version of a server."""
    found = remote.registry(f"{_PATH}/{quote(name, safe='')}/versions/{quote(version, safe='')}")
    return Output(found, lines(*_described(found)), as_json=remote.json)


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


@app.command
def state(
    name: str, version: str, to: str, *, reason: str = "", etag: str = "", remote: Remote = _HERE
) -> Output:
    """Say that VERSION of a published or imported server is active, deprecated or deleted.

    Parameters
    ----------
    reason
        Why; kept in the ledger, and shown to whoever looks for the server.
    etag
        That of the version that you have looked at: of another one nothing is changed. What is in quarantine
        does not leave it without.
    """
    body = {"name": name, "version": version, "state": to}
    return published.stated(remote, "servers", body, reason, etag)


@app.command
def kept(*, state: str = "", name: str = "", content: bool = False, remote: Remote = _HERE) -> Output:
    """List every version as it is kept, for operators: by whom, why, and what seems to be hidden in it.

    Parameters
    ----------
    state
        Only those that are active, deprecated, deleted, imported or quarantined.
    name
        Only these; * is any text.
    content
        With their server.json, hidden characters written out.
    """
    return published.kept(remote, "servers", state, name, content=content)


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


def _listed(remote: Remote, query: dict[str, str]) -> Output:
    found = remote.registry_pages(_PATH, query)
    rows = [
        (
            visible(each["server"]["name"]),
            each["server"]["version"],
            each["_meta"][OURS]["state"],
            visible(each["_meta"][OURS]["owner"]) or "-",
            each["_meta"][OURS].get("server", "-"),
            visible(each["server"].get("description", "")),
        )
        for each in found
    ]
    headings = ("name", "version", "state", "owner", "called as", "description")
    return Output(found, table(headings, rows, empty="there is no such server"), as_json=remote.json)


def _described(found: dict[str, Any]) -> list[str]:
    server, own, official = found["server"], found["_meta"][OURS], found["_meta"][_OFFICIAL]
    text = [f"{server['name']}  {server['version']}  {own['state']}", f"  {server.get('description', '')}"]
    text += [f"  {name}: {own[name]}" for name in ("owner", "source") if own[name]]
    text += [f"  {official['statusMessage']}"] if official.get("statusMessage") else []
    text += [f"  {remote['type']}  {remote['url']}" for remote in server.get("remotes", ())]
    packages = server.get("packages", ())
    text += [f"  {package['registryType']}  {package['identifier']}" for package in packages]
    if not own.get("callable"):
        text.append("  not called through this stack: that takes a server in the configuration")
    return [visible(line) for line in text]


def _published(made: dict[str, Any]) -> list[str]:
    server = made["server"]
    return published.published(server["name"], server["version"], made["_meta"][OURS])


def _meta(server: dict[str, Any]) -> dict[str, Any]:
    given = server.get("_meta")
    return given if isinstance(given, dict) else {}


def _named(each: dict[str, str]) -> str:
    return f"{visible(each['name'])} {each['version']}"


def _imported(found: dict[str, Any]) -> list[str]:
    done = "would be imported" if found["dry_run"] else "imported"
    text = [f"{done}: {_named(each)}" for each in found["imported"]]
    text += [f"in quarantine: {_named(each)}" for each in found["quarantined"]]
    text += [f"deleted there, and here: {_named(each)}" for each in found["deleted"]]
    text += [f"left out: {visible(why)}" for why in found["skipped"]]
    if found["more"]:
        text.append("there is more: narrow it with --search, or raise --limit")
    return text or ["nothing new"]
