"""The agent gateway's own section of `gatestack.yaml`."""

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared.config import Secret
from shared.egress import origin
from shared.errors import BadRequest
from shared.limits.rule import LimitRule
from shared.limits.rule import problems as limit_problems
from shared.server import ServerName

Seconds = Annotated[float, Meta(gt=0)]
Bytes = Annotated[int, Meta(ge=1)]
Credential = Literal["identity", "key", "delegation"]
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Headers that the gateway writes itself on every call to an agent, or that belong to one connection.
_OURS = frozenset(
    (
        *("a2a-version", "a2a-extensions", "traceparent", "txn-token", "content-type", "content-length"),
        *("accept", "host", "connection", "transfer-encoding", "te", "trailer", "upgrade"),
    )
)


class Timeouts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`header_seconds` is how long a blocking SendMessage may take, `idle_seconds` how long a stream may
    be silent.
    """

    connect_seconds: Seconds = 5.0
    header_seconds: Seconds = 600.0
    idle_seconds: Seconds = 600.0


class AgentEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One agent. `url` is its JSON-RPC endpoint; without it the endpoint is read from the card at
    `card_url`.

    `headers` go along with every call. With `credential: delegation` the agent gets a token to call back
    with. `tenant` is what the agent calls us in its own multi-tenancy. `labels` is what a chain is
    tainted with.
    """

    url: str = ""
    card_url: str = ""
    headers: dict[str, Secret] = {}
    credential: Literal["delegation", "none"] = "delegation"
    tenant: str = ""
    labels: list[str] = []
    timeouts: Timeouts = Timeouts()


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`public_url` is where clients reach `/agents`: the edge. `extensions` are the A2A extensions let
    through.
    """

    bind: str = "127.0.0.1:8083"
    server: ServerName = "hypercorn"
    public_url: str = "http://127.0.0.1:8080"
    accept: Annotated[tuple[Credential, ...], Meta(min_length=1)] = ("identity",)
    agents: dict[str, AgentEntry] = {}
    extensions: list[str] = []
    limits: list[LimitRule] = []
    card_seconds: Seconds = 300.0
    task_seconds: Annotated[int, Meta(ge=60)] = 604_800
    max_body_bytes: Bytes = 33_554_432
    max_reply_bytes: Bytes = 33_554_432
    max_card_bytes: Bytes = 1_048_576


def problems(section: Section) -> list[str]:
    """What the types alone cannot see, as `path: problem`."""
    found = []
    if not section.bind.rpartition(":")[2].isdigit():
        found.append(f"bind: {section.bind!r} is not host:port")
    if not _http(section.public_url):
        found.append(f"public_url: {section.public_url!r} is no http(s) address")
    for place, uri in enumerate(section.extensions):
        if not uri or any(char in uri for char in ", \t"):
            found.append(f"extensions[{place}]: {uri!r} is no URI")
    found += [f"limits{problem}" for problem in limit_problems(section.limits)]
    for name, agent in section.agents.items():
        found += [f"agents.{name}{problem}" for problem in _agent_problems(name, agent)]
    return found


def _agent_problems(name: str, agent: AgentEntry) -> list[str]:
    found = []
    if not _NAME.fullmatch(name):
        found.append(": an agent's name is lower-case letters, digits, - and _")
    if not agent.url and not agent.card_url:
        found.append(": needs a url (its JSON-RPC endpoint) or a card_url")
    for field in ("url", "card_url"):
        value = getattr(agent, field)
        if value and not _http(value):
            found.append(f".{field}: {value!r} is no http(s) address")
    for header, secret in agent.headers.items():
        if any(not " " <= character <= "~" for character in secret.reveal()):
            found.append(
                f".headers.{header}: holds a line break or another character that no header may have"
            )
        if not _HEADER.fullmatch(header) or header.lower() in _OURS:
            found.append(f".headers.{header}: this header cannot be set here")
        elif header.lower() == "authorization" and agent.credential == "delegation":
            found.append(
                f".headers.{header}: the delegation token stands there; set credential: none to replace it"
            )
    return found


def _http(url: str) -> bool:
    try:
        origin(url)
    except BadRequest:
        return False
    return True
