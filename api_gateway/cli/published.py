"""What `gatestack catalog servers` and `… skills` have in common: versions as they are kept, and states."""

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
from cyclopts import Parameter

from api_gateway.cli.remote import CommandFailed, Remote
from api_gateway.cli.show import Output, lines, table
from shared.approvals import visible

OURS = "gatestack/registry"
Files = Annotated[tuple[Path, ...], Parameter(name=("--file", "-f"))]
Kind = Literal["servers", "skills"]
_IMPORT_SECONDS = 90.0


def read(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises CommandFailed."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise CommandFailed(f"{path} holds no JSON object: {error}") from error


def send(remote: Remote, path: str, body: object, reason: str, if_match: str = "") -> Any:
    asked = f"{path}?{urlencode({'reason': reason})}" if reason else path
    return remote.post(asked, body, seconds=_IMPORT_SECONDS, if_match=if_match)


def published(name: str, version: str, found: dict[str, Any]) -> list[str]:
    """What became of it, in lines. `found` is what is kept besides its contents."""
    if found["state"] != "quarantined":
        return [f"{name} {version} is published"]
    why = [f"  {visible(finding)}" for finding in found["findings"]]
    return [f"{name} {version} is in quarantine until somebody has looked at it", *why]


def stated(remote: Remote, kind: Kind, body: dict[str, str], reason: str, etag: str) -> Output:
    if not reason.strip():
        raise CommandFailed("say why with --reason; it is kept for good", 2)
    made = send(remote, f"/catalog/{kind}/state", body, reason, etag)
    return Output(made, lines(f"{body['name']} {body['version']} is {made['state']}"), as_json=remote.json)


def kept(remote: Remote, kind: Kind, state: str, name: str, *, content: bool) -> Output:
    """Every version, as operators see it."""
    found = remote.get(f"/catalog/{kind}", state=state, name=name)[kind]
    told = [line for entry in found for line in _told(entry, content)]
    none = table((), (), empty="nothing of that is kept")
    return Output(found, lines(*told) if told else none, as_json=remote.json)


def _told(entry: dict[str, Any], content: bool) -> list[str]:
    text = [f"{entry['name']}  {entry['version']}  {entry['state']}  {entry['owner'] or '-'}"]
    text.append(f"  etag {entry['etag']}")
    text.append(f"  last changed by {entry['by'] or '-'}: {entry['reason'] or '(no reason given)'}")
    text += [f"  from {entry['source']}"] if entry["source"] else []
    text += [f"  {finding}" for finding in entry["findings"]]
    if content:
        written = msgspec.json.format(msgspec.json.encode(entry["content"]), indent=2).decode()
        text += [f"    {line}" for line in written.split("\n")]
    # Whoever looks at what is hidden has to see it.
    return [visible(line, len(line)) for line in text]
