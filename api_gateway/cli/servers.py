"""`gatestack catalog servers`: the registry of MCP servers: what is in it, publish, import."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from cyclopts import App, Parameter

from api_gateway.cli.remote import CommandFailed, Remote
from api_gateway.cli.show import Output, lines, table
from shared.approvals import visible

_HERE = Remote()
Files = Annotated[tuple[Path, ...], Parameter(name=("--file", "-f"))]
_OURS = "gatestack/registry"
_PATH = "/servers"
_IMPORT_SECONDS = 90.0
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
def publish(*, file: Files, owner: str = "", label: tuple[str, ...] = (), remote: Remote = _HERE) -> Output:
    """Publish the version of a server that a server.json describes. It is found, and not called.

    Parameters
    ----------
    file
        The server.json; may be given more than once.
    owner
        Whose it is: a team or a person. Default: you.
    label
        A fact for policy; may be given more than once.
    """
    made = []
    for each in file:
        server = read(each)
        own = {"owner": owner, "labels": label}
        made.append(remote.post("/catalog/servers", server | {"_meta": {_OURS: own}}))
    text = [f"{one['server']['name']} {one['server']['version']} is published" for one in made]
    return Output(made, lines(*text), as_json=remote.json)


@app.command
def state(name: str, version: str, to: str, *, remote: Remote = _HERE) -> Output:
    """Say that VERSION of a published or imported server is active, deprecated or deleted."""
    body = {"name": name, "version": version, "state": to}
    made = remote.post("/catalog/servers/state", body)
    return Output(made, lines(f"{name} {version} is {made['state']}"), as_json=remote.json)


@app.command(name="import")
def bring(
    registry: str, *, search: str = "", limit: int = 100, dry_run: bool = False, remote: Remote = _HERE
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
    dry_run
        Only show what would come.
    """
    body = {"url": registry, "search": search, "limit": limit, "dry_run": dry_run}
    found = remote.post("/catalog/servers/import", body, seconds=_IMPORT_SECONDS)
    return Output(found, lines(*_imported(found)), as_json=remote.json)


def read(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises CommandFailed."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise CommandFailed(f"{path} holds no JSON object: {error}") from error


def _listed(remote: Remote, query: dict[str, str]) -> Output:
    found = remote.registry_pages(_PATH, query)
    rows = [
        (
            visible(each["server"]["name"]),
            each["server"]["version"],
            each["_meta"][_OURS]["state"],
            each["_meta"][_OURS]["owner"] or "-",
            each["_meta"][_OURS].get("server", "-"),
            visible(each["server"].get("description", "")),
        )
        for each in found
    ]
    headings = ("name", "version", "state", "owner", "called as", "description")
    return Output(found, table(headings, rows, empty="there is no such server"), as_json=remote.json)


def _described(found: dict[str, Any]) -> list[str]:
    server, own = found["server"], found["_meta"][_OURS]
    text = [f"{server['name']}  {server['version']}  {own['state']}", f"  {server.get('description', '')}"]
    text += [f"  {name}: {own[name]}" for name in ("owner", "source") if own[name]]
    text += [f"  {remote['type']}  {remote['url']}" for remote in server.get("remotes", ())]
    packages = server.get("packages", ())
    text += [f"  {package['registryType']}  {package['identifier']}" for package in packages]
    if not own.get("callable"):
        text.append("  not called through this stack: that takes a server in the configuration")
    return [visible(line) for line in text]


def _imported(found: dict[str, Any]) -> list[str]:
    done = "would be imported" if found["dry_run"] else "imported"
    text = [f"{done}: {visible(each['name'])} {each['version']}" for each in found["imported"]]
    text += [f"left out: {visible(why)}" for why in found["skipped"]]
    if found["more"]:
        text.append("there is more: narrow it with --search, or raise --limit")
    return text or ["nothing new"]
