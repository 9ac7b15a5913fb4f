"""The agent gateway's own section of `gatestack.yaml`."""

import re
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from shared.agents import Delegation, State, trusted_keys
from shared.authenticators.credential import Kind
from shared.bridges import Bridge, ChatBridge, ToolsBridge
from shared.config import Secret
from shared.egress import origin
from shared.errors import BadRequest
from shared.guards.problems import problems as guard_problems
from shared.guards.section import CALLER_FACTS, AnyGuardSection
from shared.limits.rule import LimitRule
from shared.limits.rule import problems as limit_problems
from shared.server import ServerName
from shared.tls import Tls

Seconds = Annotated[float, Meta(gt=0)]
Bytes = Annotated[int, Meta(ge=1)]
# Here `agent` is the one that is called, and `caller` whoever calls it.
_GUARD_FACTS = (*CALLER_FACTS, "caller", "skill", "label")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Headers that the gateway writes itself on every call to an agent, or that belong to one connection.
_OURS = frozenset(
    (
        *("a2a-version", "a2a-extensions", "x-a2a-extensions", "traceparent", "txn-token"),
        *("content-type", "content-length"),
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


class Replica(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of several addresses that serve the same agent; one of twice the `weight` gets twice the calls."""

    url: str
    weight: Annotated[int, Meta(ge=1, le=1000)] = 1


class CardTrust(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes an agent's card believable. With `keys` (JWKs, or a `jwks_file` of them) one of these must
    have signed it. `pin` holds it to what it was: `first_use`, or the SHA-256 of its canonical form.
    """

    keys: list[dict[str, Any]] = []
    jwks_file: str = ""
    pin: Annotated[str, Meta(pattern="^(|first_use|[0-9a-f]{64})$")] = ""


class AgentEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One agent. `url` is its endpoint, which speaks `binding` in `version`; without it all three are read
    from the card at `card_url`.

    `headers` go along with every call. With `credential: delegation` the agent gets a token to call back
    with, narrowed by `delegation`. `tenant` is what the agent calls us in its own multi-tenancy. `labels`
    is what a chain is tainted with. `replicas` take turns in the place of one `url`; `fallback` is the agent
    that is called while none of them answers. A `bridge` is what answers where there is no agent.
    """

    url: str = ""
    binding: Literal["JSONRPC", "HTTP+JSON"] = "JSONRPC"
    version: Literal["1.0", "0.3"] = "1.0"
    card_url: str = ""
    headers: dict[str, Secret] = {}
    credential: Literal["delegation", "none"] = "delegation"
    tenant: str = ""
    labels: list[str] = []
    timeouts: Timeouts = Timeouts()
    owner: str = ""
    tags: list[str] = []
    state: State = "active"
    delegation: Delegation = Delegation()
    replicas: list[Replica] = []
    fallback: str = ""
    bridge: Bridge | None = None
    trust: CardTrust = CardTrust()


class PushSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Push notifications. `url` is where agents reach this service itself, "" for where it listens.

    Clients' webhooks must be public addresses but for `allow` (host names and networks). A delivery that
    fails is tried `attempts` times in all, at growing intervals from `pause_seconds` to `longest_seconds`.
    `waiting` is how many notifications may queue up for one webhook.
    """

    url: str = ""
    allow: list[str] = []
    https_only: bool = False
    attempts: Annotated[int, Meta(ge=1, le=100)] = 12
    pause_seconds: Seconds = 1.0
    longest_seconds: Seconds = 900.0
    timeout_seconds: Seconds = 10.0
    waiting: Annotated[int, Meta(ge=1)] = 1_000
    per_task: Annotated[int, Meta(ge=1)] = 10
    max_bytes: Bytes = 1_048_576


class RegistrySection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Agents registered while the stack runs must be at public addresses, but for `allow` (host names and
    networks). `check_seconds` is how often replicas and pinned cards are looked at.
    """

    allow: list[str] = []
    check_seconds: Seconds = 15.0


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`public_url` is where clients reach `/agents`: the edge; `edge_url` is where this service reaches it,
    "" for the same. `extensions` are the A2A extensions let through; others are dropped unsaid, or refused.
    """

    bind: str = "127.0.0.1:8083"
    server: ServerName = "hypercorn"
    tls: Tls | None = None
    public_url: str = "http://127.0.0.1:8080"
    edge_url: str = ""
    accept: Annotated[tuple[Kind, ...], Meta(min_length=1)] = ("identity",)
    agents: dict[str, AgentEntry] = {}
    extensions: list[str] = []
    extensions_unknown: Literal["drop", "refuse"] = "drop"
    push: PushSection = PushSection()
    registry: RegistrySection = RegistrySection()
    limits: list[LimitRule] = []
    guards: list[AnyGuardSection] = []
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
    if section.edge_url and not _http(section.edge_url):
        found.append(f"edge_url: {section.edge_url!r} is no http(s) address")
    if section.push.url and not _http(section.push.url):
        found.append(f"push.url: {section.push.url!r} is no http(s) address")
    for place, uri in enumerate(section.extensions):
        if not uri or any(char in uri for char in ", \t"):
            found.append(f"extensions[{place}]: {uri!r} is no URI")
    found += [f"limits{problem}" for problem in limit_problems(section.limits)]
    found += [f"guards{problem}" for problem in guard_problems(section.guards, _GUARD_FACTS)]
    for name, agent in section.agents.items():
        found += [f"agents.{name}{problem}" for problem in _agent_problems(name, agent)]
        found += [f"agents.{name}{problem}" for problem in _routing_problems(name, agent, section)]
        found += [f"agents.{name}{problem}" for problem in _bridge_problems(agent)]
    return found


def _agent_problems(name: str, agent: AgentEntry) -> list[str]:
    found = []
    if not _NAME.fullmatch(name):
        found.append(": an agent's name is lower-case letters, digits, - and _")
    if not agent.url and not agent.card_url and not agent.replicas and agent.bridge is None:
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


def _routing_problems(name: str, agent: AgentEntry, section: Section) -> list[str]:
    found = [
        f".replicas[{place}].url: {replica.url!r} is no http(s) address"
        for place, replica in enumerate(agent.replicas)
        if not _http(replica.url)
    ]
    if agent.url and agent.replicas:
        found.append(".replicas: stand in the place of url: leave one of them out")
    if agent.fallback and (agent.fallback == name or agent.fallback not in section.agents):
        found.append(f".fallback: {agent.fallback!r} is no other agent of this file")
    elif agent.fallback and isinstance(section.agents[agent.fallback].bridge, ToolsBridge):
        found.append(f".fallback: {agent.fallback!r} is a set of tools, and stands in for nobody")
    try:
        trusted_keys(tuple(agent.trust.keys))
    except ValueError as error:
        found.append(f".trust.keys: {error}")
    return found


def _bridge_problems(agent: AgentEntry) -> list[str]:
    bridge = agent.bridge
    if bridge is None:
        return []
    found = []
    if agent.url or agent.card_url or agent.replicas:
        found.append(".bridge: stands in the place of url, card_url and replicas: leave those out")
    if agent.trust != CardTrust():
        found.append(".trust: the card of a bridge is made here, there is nothing to trust")
    inside = not isinstance(bridge, ChatBridge) or not bridge.url
    if inside and agent.credential != "delegation":
        found.append(".credential: what goes back through the edge needs the delegation token")
    if isinstance(bridge, ChatBridge) and bridge.url and not _http(bridge.url):
        found.append(f".bridge.url: {bridge.url!r} is no http(s) address")
    return found


def _http(url: str) -> bool:
    try:
        origin(url)
    except BadRequest:
        return False
    return True
