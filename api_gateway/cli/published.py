"""Publishing servers and skills: what is read for it, how it is sent, and what became of it."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from cyclopts import Parameter

from api_gateway.cli.remote import CommandFailed, Remote
from shared.approvals import visible

Files = Annotated[tuple[Path, ...], Parameter(name=("--file", "-f"))]
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
