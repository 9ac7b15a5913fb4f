"""The tool gateway's own section of `gatestack.yaml`."""

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from mcp_gateway.catalog_rule import CatalogRule
from mcp_gateway.catalog_rule import problems as catalog_problems
from mcp_gateway.credentials.section import CredentialRule, OAuthRule, UserOAuth, oauth_problems
from mcp_gateway.credentials.section import problems as credential_problems
from mcp_gateway.registry.about import About
from mcp_gateway.registry.about import problems as about_problems
from mcp_gateway.skills.rule import SkillRule
from mcp_gateway.skills.rule import problems as skill_problems
from mcp_gateway.transports import (
    OURS,
    Agents,
    ChildLimits,
    Namespace,
    OpenApi,
    Skills,
    agents_problems,
    openapi_problems,
    skills_problems,
)
from shared.attempts import BreakerRule
from shared.authenticators.credential import Kind
from shared.config import Secret
from shared.guards.problems import problems as guard_problems
from shared.guards.section import CALLER_FACTS, AnyGuardSection, Place
from shared.limits.rule import LimitRule
from shared.limits.rule import problems as limit_problems
from shared.server import ServerName
from shared.tls import Tls

Seconds = Annotated[float, Meta(gt=0)]
Bytes = Annotated[int, Meta(ge=1)]
EraName = Literal["auto", "session", "stateless"]
TrustName = Literal["on_first_use", "listed_only", "unpinned"]
ScanName = Literal["off", "report", "quarantine"]
Count = Annotated[int, Meta(ge=1)]
# A server's id is part of tool names, of resource URIs (as a scheme) and of paths.
_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_ID_LENGTH = 32
_GUARD_FACTS = (*CALLER_FACTS, "server", "tool", "label")
# There are no streams of words: what comes before an answer is looked at piece by piece.
GUARDED: tuple[Place, ...] = ("request", "reply")


class Http(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="http"):
    """A server reached over streamable HTTP. `headers` are its credential: only as `${NAME}` or
    `${file:…}`.
    """

    url: str
    headers: dict[str, Secret] = {}
    era: EraName = "auto"


class Sse(Http, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="sse"):
    """A server of before streamable HTTP: `url` is that of its stream. Its era is that of sessions."""


class Stdio(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="stdio"):
    """A server run as a child process. It gets `env` and `secret_env` and, of our own environment, only the
    variables that `inherit` names. `cwd` is relative to the configuration file. `user` is who it runs as,
    where we run as root; `namespaces` are those of the system that it has for itself.
    """

    command: str
    args: list[str] = []
    env: dict[str, str] = {}
    secret_env: dict[str, Secret] = {}
    inherit: list[str] = field(default_factory=lambda: ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"])
    cwd: str = "."
    era: EraName = "auto"
    user: str = ""
    limits: ChildLimits = ChildLimits()
    namespaces: list[Namespace] = []


Transport = Http | Sse | Stdio | OpenApi | Agents | Skills


class ToolRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator says about one tool, by the name that its server gives it."""

    labels: list[str] = []


class ServerRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One MCP server. `labels` are facts for policy and become taint of every chain that calls its tools.

    `timeout_seconds` is how long a call may go without a word from the server, `deadline_seconds` how long
    with some. `concurrency` calls are under way at once from each replica; more wait a moment and are
    refused. What a result may be is told in bytes, in how deep it is nested, and in how many values it
    has. `trust` overrides the section's. `credential` is what the server is shown besides the transport's
    headers: docs/credentials.md. `about` is what the registry tells of it.
    """

    transport: Transport
    credential: CredentialRule | None = None
    timeout_seconds: Seconds = 60.0
    labels: list[str] = []
    tools: dict[str, ToolRule] = {}
    deadline_seconds: Seconds = 600.0
    concurrency: Count | None = None
    max_result_bytes: Bytes | None = None
    max_result_depth: Count = 64
    max_result_items: Count = 100_000
    trust: TrustName | None = None
    breaker: BreakerRule = BreakerRule()
    about: About = About()


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

    Where `stdio_commands` names any, no other program is started, and none is looked up elsewhere than in our
    own `PATH`.

    `trust` says what becomes of a tool that nobody has approved, `scan` of a description that seems to hide
    something. Where `destructive` is `explicit`, a tool that destroys needs a rule that means it; where it is
    `approval`, every call of it needs a person's consent.

    `public_url` is the edge's address as clients see it. Clients that look for an authorization server are
    told of `authorization_servers` and `scopes` (RFC 9728).
    """

    bind: str = "127.0.0.1:8082"
    server: ServerName = "hypercorn"
    tls: Tls | None = None
    accept: tuple[Kind, ...] = ("identity",)
    servers: dict[str, ServerRule] = {}
    stdio_commands: list[str] = []
    limits: list[LimitRule] = []
    guards: list[AnyGuardSection] = []
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
    destructive: Literal["open", "explicit", "approval"] = "open"
    search: SearchRule = SearchRule()
    public_url: str = ""
    authorization_servers: list[str] = []
    scopes: list[str] = []
    oauth: OAuthRule = field(default_factory=OAuthRule)
    skills: dict[str, SkillRule] = {}


def problems(section: Section) -> list[str]:
    """What the types alone cannot see, as `path: problem`."""
    found: list[str] = []
    for name, rule in section.servers.items():
        path = f"servers.{name}"
        if not _ID.fullmatch(name) or len(name) > _ID_LENGTH:
            found.append(
                f"{path}: a server's id is at most {_ID_LENGTH} lower-case letters, digits and single dashes"
            )
        found += agents_problems(name, rule.transport)
        found += skills_problems(name, rule.transport)
        found += about_problems(f"{path}.about", rule.about)
        found += _transport(path, rule.transport, section.stdio_commands)
        found += _credential(f"{path}.credential", rule)
    for name, curated in section.catalogs.items():
        if not _ID.fullmatch(name) or len(name) > _ID_LENGTH:
            found.append(
                f"catalogs.{name}: an id is at most {_ID_LENGTH} lower-case letters, digits and single dashes"
            )
        found += catalog_problems(f"catalogs.{name}", curated, section.servers)
    found += skill_problems(section.skills, scan=section.scan == "quarantine")
    found += [f"limits{problem}" for problem in limit_problems(section.limits)]
    found += [f"guards{problem}" for problem in guard_problems(section.guards, _GUARD_FACTS, places=GUARDED)]
    users = [name for name, rule in section.servers.items() if isinstance(rule.credential, UserOAuth)]
    found += oauth_problems(
        section.oauth,
        public_url=section.public_url,
        authorization_servers=section.authorization_servers,
        users=users,
    )
    if not section.accept:
        found.append("accept: must name at least one kind of credential, or nobody can call")
    for place, origin in enumerate(section.allowed_origins):
        if origin != "*" and ("://" not in origin or origin.endswith("/")):
            found.append(f"allowed_origins[{place}]: {origin!r} is not scheme://host[:port]")
    if not section.bind.rpartition(":")[2].isdigit():
        found.append(f"bind: {section.bind!r} is not host:port")
    return found


def _transport(path: str, transport: Transport, commands: list[str]) -> list[str]:
    if isinstance(transport, Agents | Skills):
        return []
    if isinstance(transport, Http):
        return _http(path, transport)
    return (
        openapi_problems(path, transport)
        if isinstance(transport, OpenApi)
        else _stdio(path, transport, commands)
    )


def _credential(path: str, rule: ServerRule) -> list[str]:
    if rule.credential is None:
        return []
    http = rule.transport if isinstance(rule.transport, Http) else None
    headers = [name.lower() for name in http.headers] if http is not None else []
    url = http.url if http is not None else ""
    return credential_problems(path, rule.credential, url=url, headers=headers)


def _http(path: str, transport: Http) -> list[str]:
    found = []
    if not transport.url.startswith(("http://", "https://")):
        found.append(f"{path}.transport.url: {transport.url!r} is no http(s) address")
    for name in transport.headers:
        if OURS.fullmatch(name.lower()):
            found.append(f"{path}.transport.headers.{name}: this header is written by the gateway")
    return found


def _stdio(path: str, transport: Stdio, commands: list[str]) -> list[str]:
    words = [transport.command, *transport.args, transport.cwd]
    found = [f"{path}.transport.command: needs a program"] if not transport.command else []
    if any("\x00" in word for word in words):
        found.append(f"{path}.transport: a NUL character cannot be part of a command")
    if commands and transport.command not in commands:
        found.append(f"{path}.transport.command: {transport.command!r} is not in stdio_commands")
    if commands and "PATH" in (*transport.env, *transport.secret_env):
        found.append(f"{path}.transport.env.PATH: would make another program of a name in stdio_commands")
    both = sorted(set(transport.env) & set(transport.secret_env))
    found += [f"{path}.transport.secret_env.{name}: stands in env too" for name in both]
    return found
