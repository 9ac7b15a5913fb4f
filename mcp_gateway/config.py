"""The tool gateway's own section of `gatestack.yaml`."""

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from mcp_gateway.catalog_rule import CatalogRule
from mcp_gateway.catalog_rule import problems as catalog_problems
from shared.config import Secret
from shared.limits.rule import LimitRule
from shared.limits.rule import problems as limit_problems
from shared.server import ServerName

Seconds = Annotated[float, Meta(gt=0)]
Bytes = Annotated[int, Meta(ge=1)]
Credential = Literal["identity", "key", "delegation"]
EraName = Literal["auto", "session", "stateless"]
TrustName = Literal["on_first_use", "listed_only", "unpinned"]
ScanName = Literal["off", "report", "quarantine"]
Count = Annotated[int, Meta(ge=1)]
# A server's id is part of tool names, of resource URIs (as a scheme) and of paths.
_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_ID_LENGTH = 32
# What a header of an upstream may not replace: they are ours to write.
_OURS = re.compile(
    r"(host|content-.*|accept|accept-encoding|connection|transfer-encoding|mcp-.*|traceparent)"
)


class Http(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="http"):
    """A server reached over streamable HTTP. `headers` are its credential: only as `${NAME}` or
    `${file:…}`.
    """

    url: str
    headers: dict[str, Secret] = {}
    era: EraName = "auto"


class Stdio(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="stdio"):
    """A server run as a child process. It gets `env` and `secret_env` and, of our own environment, only the
    variables that `inherit` names. `cwd` is relative to the configuration file.
    """

    command: str
    args: list[str] = []
    env: dict[str, str] = {}
    secret_env: dict[str, Secret] = {}
    inherit: list[str] = field(default_factory=lambda: ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"])
    cwd: str = "."
    era: EraName = "auto"


Transport = Http | Stdio


class ToolRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator says about one tool, by the name that its server gives it."""

    labels: list[str] = []


class ServerRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One MCP server. `labels` are facts for policy and become taint of every chain that calls its tools.

    `timeout_seconds` is how long a call may go without a word from the server, `deadline_seconds` how long
    with some. `concurrency` calls are under way at once from each replica; more wait a moment and are
    refused. What a result may be is told in bytes, in how deep it is nested, and in how many values it
    has. `trust` overrides the section's.
    """

    transport: Transport
    timeout_seconds: Seconds = 60.0
    labels: list[str] = []
    tools: dict[str, ToolRule] = {}
    deadline_seconds: Seconds = 600.0
    concurrency: Count | None = None
    max_result_bytes: Bytes | None = None
    max_result_depth: Count = 64
    max_result_items: Count = 100_000
    trust: TrustName | None = None


class SearchRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`teams` see three tools that find the others instead of all of them, unless they ask for the full
    list; everybody else does when they ask for it.
    """

    teams: list[str] = []
    results: Annotated[int, Meta(ge=1, le=50)] = 8


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`accept` says which credentials are taken: `identity` behind the edge, `key` and `delegation` when
    this service faces clients itself. Pages of `allowed_origins` (and local ones) may call; where
    `allowed_hosts` names any, no other host name leads here. `catalog_seconds` is how long a server's lists
    are remembered, `refresh_seconds` how often at most they are asked for again before that.

    `trust` says what becomes of a tool that nobody has approved, `scan` of a description that seems to hide
    something. Where `destructive` is `explicit`, a tool that destroys needs a rule that means it.
    """

    bind: str = "127.0.0.1:8082"
    server: ServerName = "hypercorn"
    accept: tuple[Credential, ...] = ("identity",)
    servers: dict[str, ServerRule] = {}
    limits: list[LimitRule] = []
    allowed_origins: list[str] = []
    allowed_hosts: list[str] = []
    max_body_bytes: Bytes = 4_194_304
    max_result_bytes: Bytes = 33_554_432
    catalog_seconds: Seconds = 60.0
    refresh_seconds: Seconds = 5.0
    list_timeout_seconds: Seconds = 10.0
    session_seconds: Annotated[int, Meta(ge=1)] = 3600
    catalogs: dict[str, CatalogRule] = {}
    trust: TrustName = "on_first_use"
    scan: ScanName = "quarantine"
    destructive: Literal["open", "explicit"] = "open"
    search: SearchRule = SearchRule()


def problems(section: Section) -> list[str]:
    """What the types alone cannot see, as `path: problem`."""
    found: list[str] = []
    for name, rule in section.servers.items():
        path = f"servers.{name}"
        if not _ID.fullmatch(name) or len(name) > _ID_LENGTH:
            found.append(
                f"{path}: a server's id is at most {_ID_LENGTH} lower-case letters, digits and single dashes"
            )
        transport = rule.transport
        found += _http(path, transport) if isinstance(transport, Http) else _stdio(path, transport)
    for name, curated in section.catalogs.items():
        if not _ID.fullmatch(name) or len(name) > _ID_LENGTH:
            found.append(
                f"catalogs.{name}: an id is at most {_ID_LENGTH} lower-case letters, digits and single dashes"
            )
        found += catalog_problems(f"catalogs.{name}", curated, section.servers)
    found += [f"limits{problem}" for problem in limit_problems(section.limits)]
    if not section.accept:
        found.append("accept: must name at least one kind of credential, or nobody can call")
    for place, origin in enumerate(section.allowed_origins):
        if origin != "*" and ("://" not in origin or origin.endswith("/")):
            found.append(f"allowed_origins[{place}]: {origin!r} is not scheme://host[:port]")
    if not section.bind.rpartition(":")[2].isdigit():
        found.append(f"bind: {section.bind!r} is not host:port")
    return found


def _http(path: str, transport: Http) -> list[str]:
    found = []
    if not transport.url.startswith(("http://", "https://")):
        found.append(f"{path}.transport.url: {transport.url!r} is no http(s) address")
    for name in transport.headers:
        if _OURS.fullmatch(name.lower()):
            found.append(f"{path}.transport.headers.{name}: this header is written by the gateway")
    return found


def _stdio(path: str, transport: Stdio) -> list[str]:
    words = [transport.command, *transport.args, transport.cwd]
    found = [f"{path}.transport.command: needs a program"] if not transport.command else []
    if any("\x00" in word for word in words):
        found.append(f"{path}.transport: a NUL character cannot be part of a command")
    both = sorted(set(transport.env) & set(transport.secret_env))
    found += [f"{path}.transport.secret_env.{name}: stands in env too" for name in both]
    return found
