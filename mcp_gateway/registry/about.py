"""What an operator says about a configured server to whoever looks for one: nothing of it decides a call."""

from typing import Literal

from msgspec import Struct

from shared.catalog_entries import LATEST, LONGEST_NAME, SERVER_NAME, VERSION


class About(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`name` is the server's in the registry. One that is published there under this name is shown as it is,
    but for where it is reached. `version` is otherwise what the server says itself.
    """

    name: str = ""
    title: str = ""
    description: str = ""
    version: str = ""
    owner: str = ""
    state: Literal["active", "deprecated"] = "active"


def problems(path: str, about: About) -> list[str]:
    """What the types alone cannot see, as `path: problem`."""
    found = []
    if about.name and (not SERVER_NAME.fullmatch(about.name) or len(about.name) > LONGEST_NAME):
        found.append(f"{path}.name: {about.name!r} is not <reversed domain>/<name>, like com.example/git")
    if about.version and (about.version == LATEST or not VERSION.fullmatch(about.version)):
        found.append(f"{path}.version: {about.version!r} is no version")
    return found
