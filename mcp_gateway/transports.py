"""What only some transports are told: the limits of child processes, and how a REST API becomes a server."""

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared.config import Secret

Count = Annotated[int, Meta(ge=1)]
Namespace = Literal["network", "mount", "ipc"]
_MIB = 2**20
AGENTS = "agents"
SKILLS = "skills"
# What a header of an upstream may not replace: they are ours to write.
OURS = re.compile(r"(host|content-.*|accept|accept-encoding|connection|transfer-encoding|mcp-.*|traceparent)")


class ChildLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a child process may take, for each process of it. `memory_mb` counts what it can write to
    (RLIMIT_DATA), `cpu_seconds` its whole life. `processes` are all of its user's, so that it means something
    only with a user of its own. 0 is no limit.
    """

    memory_mb: Annotated[int, Meta(ge=0)] = 2048
    cpu_seconds: Annotated[int, Meta(ge=0)] = 0
    open_files: Annotated[int, Meta(ge=0)] = 1024
    processes: Annotated[int, Meta(ge=0)] = 0


class OpenApi(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="openapi"):
    """A REST API by its OpenAPI document, a file or an address. `url` is where it is; without it, where the
    document says, as far as that is a public address or in `allow`. `headers` and `query` are its credential.

    `include` and `exclude` are operation ids and tags, with `*` for any text. With `typed`, tools say what
    they answer, and an answer that is something else is an error.
    """

    document: str
    url: str = ""
    headers: dict[str, Secret] = {}
    query: dict[str, Secret] = {}
    include: list[str] = []
    exclude: list[str] = []
    allow: list[str] = []
    typed: bool = True
    max_document_bytes: Count = 8 * _MIB


class Agents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="agents"):
    """The agents of this stack, each of them a tool. `url` is the edge, through which they are asked on
    behalf of each caller; there is no other credential.
    """

    url: str


class Skills(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="skills"):
    """The skills of this gateway, each of them a resource and a prompt."""


def skills_problems(server: str, transport: object) -> list[str]:
    """Skills are one server, and it has their name: what policy is asked about speaks of it."""
    if isinstance(transport, Skills) == (server == SKILLS):
        return []
    return [f"servers.{server}: a server of type skills is called {SKILLS!r}, and no other is"]


def agents_problems(server: str, transport: object) -> list[str]:
    """Agents are one server, and it has their name: what policy is asked about is `agent:<name>`."""
    path = f"servers.{server}"
    if not isinstance(transport, Agents):
        return [f"{path}: this id is for a server of type agents"] if server == AGENTS else []
    found = [] if server == AGENTS else [f"{path}: a server of type agents is called {AGENTS!r}"]
    if not transport.url.startswith(("http://", "https://")):
        found.append(f"{path}.transport.url: {transport.url!r} is no http(s) address")
    return found


def openapi_problems(path: str, transport: OpenApi) -> list[str]:
    """What the types alone cannot see, as `path: problem`."""
    found = []
    if not transport.document:
        found.append(f"{path}.transport.document: needs a file or an http(s) address")
    if transport.url and not transport.url.startswith(("http://", "https://")):
        found.append(f"{path}.transport.url: {transport.url!r} is no http(s) address")
    if "?" in transport.url or "#" in transport.url:
        found.append(f"{path}.transport.url: must end with its path")
    found += [
        f"{path}.transport.headers.{name}: this header is written by the gateway"
        for name in transport.headers
        if OURS.fullmatch(name.lower())
    ]
    return found
