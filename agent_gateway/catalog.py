"""Which agents there are, where each is reached, and which of them are one and the same: those of the
configuration file, and those that were registered since.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from agent_gateway.call import Wire
from agent_gateway.config import AgentEntry, Replica, Timeouts
from shared.agents import AgentRecord, Delegation, State, trusted_keys
from shared.bridges import Bridge
from shared.egress import place
from shared.identity.detached import TrustedKey

PREFIX = "agent:"
WIRE: dict[tuple[str, str], Wire] = {
    ("JSONRPC", "1.0"): "JSONRPC/1.0",
    ("HTTP+JSON", "1.0"): "HTTP+JSON/1.0",
    ("JSONRPC", "0.3"): "JSONRPC/0.3",
    ("HTTP+JSON", "0.3"): "HTTP+JSON/0.3",
}
_CARD_PATH = "/.well-known/agent-card.json"
FIRST_USE = "first_use"


class Agent(Struct, frozen=True, kw_only=True):
    """One agent. `url` is empty where only its card says it, `serves` the one tenant of ours that may use it
    ("" for all). `guarded` is one whose addresses the operator of this machine did not write. `pin` is the
    hash of its approved card, or `first_use`. `bridge` is what answers in its place.
    """

    name: str
    url: str
    card_url: str
    headers: tuple[tuple[bytes | str, bytes | str], ...]
    delegates: bool
    tenant: str
    labels: tuple[str, ...]
    timeouts: Timeouts
    wire: Wire = "JSONRPC/1.0"
    serves: str = ""
    owner: str = ""
    version: str = ""
    tags: tuple[str, ...] = ()
    state: State = "active"
    reason: str = ""
    delegation: Delegation = Delegation()
    replicas: tuple[Replica, ...] = ()
    fallback: str = ""
    keys: tuple[TrustedKey, ...] = ()
    pin: str = ""
    card: dict[str, object] = {}
    guarded: bool = False
    bridge: Bridge | None = None

    @property
    def principal(self) -> str:
        return PREFIX + self.name

    def endpoints(self) -> tuple["Endpoint", ...]:
        """Where its replicas are, where it has any."""
        return tuple(Endpoint(replica.url, self.tenant, self.wire) for replica in self.replicas)


class Endpoint(Struct, frozen=True):
    """Where an agent takes requests, what it calls us (`tenant`), and how one writes to it."""

    url: str
    tenant: str
    wire: Wire = "JSONRPC/1.0"

    @property
    def identity(self) -> tuple[tuple[str, int, str, str], str]:
        """Equal for two spellings of one endpoint."""
        return place(self.url), self.tenant


class Catalog:
    """`keys` are those of agents whose keys stand in a file of their own."""

    def __init__(
        self, agents: Mapping[str, AgentEntry], keys: Mapping[str, tuple[TrustedKey, ...]] | None = None
    ) -> None:
        self.epoch = 0
        known = keys or {}
        self._configured = {name: _agent(name, entry, known.get(name, ())) for name, entry in agents.items()}
        self._agents = dict(self._configured)

    def find(self, name: str) -> Agent | None:
        return self._agents.get(name)

    def acting(self, actor: str) -> Agent | None:
        """The agent that is meant by a principal such as `agent:planner`, where it is one of ours."""
        return self._agents.get(actor.removeprefix(PREFIX)) if actor.startswith(PREFIX) else None

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._agents.values())

    def apply(self, payload: bytes, epoch: int) -> None:
        """Takes over the `agents` snapshot. Raises ValueError where it is none, and keeps what it has."""
        records = msgspec.json.decode(payload, type=list[AgentRecord])
        agents = dict(self._configured)
        for record in records:
            own = self._configured.get(record.name)
            if own is None and (record.card_url or record.bridge is not None):
                agents[record.name] = _registered(record)
            elif own is not None and not record.tenant:
                agents[record.name] = _overlaid(own, record)
        self._agents, self.epoch = agents, epoch


def _agent(name: str, entry: AgentEntry, keys: tuple[TrustedKey, ...]) -> Agent:
    url = entry.url or (entry.replicas[0].url if entry.replicas else "")
    if entry.bridge is not None:
        url = _nowhere(name)
    return Agent(
        name=name,
        url=url,
        card_url=entry.card_url or _card_url(url),
        headers=tuple((header.lower(), secret.reveal()) for header, secret in entry.headers.items()),
        delegates=entry.credential == "delegation",
        tenant=entry.tenant,
        labels=tuple(entry.labels),
        timeouts=entry.timeouts,
        wire=WIRE[entry.binding, entry.version],
        owner=entry.owner,
        tags=tuple(entry.tags),
        state=entry.state,
        delegation=entry.delegation,
        replicas=tuple(entry.replicas),
        fallback=entry.fallback,
        keys=(*trusted_keys(tuple(entry.trust.keys)), *keys),
        pin=entry.trust.pin,
        bridge=entry.bridge,
    )


def _registered(record: AgentRecord) -> Agent:
    return Agent(
        name=record.name,
        url=_nowhere(record.name) if record.bridge is not None else "",
        card_url=record.card_url,
        headers=(),
        delegates=record.credential == "delegation",
        tenant="",
        labels=record.labels,
        timeouts=Timeouts(),
        serves=record.tenant,
        owner=record.owner,
        version=record.version,
        tags=record.tags,
        state=record.state,
        reason=record.reason,
        delegation=record.delegation,
        keys=trusted_keys(record.keys),
        # A card that is made here has nobody to be held to it.
        pin="" if record.bridge is not None else record.pin or FIRST_USE,
        card=record.card,
        guarded=True,
        bridge=record.bridge,
    )


def _overlaid(own: Agent, record: AgentRecord) -> Agent:
    """A configured agent with what operators have said since. Where it is reached, and with which secrets,
    stays the configuration's: a record of the same name must not take those over.
    """
    return msgspec.structs.replace(
        own,
        owner=record.owner or own.owner,
        version=record.version or own.version,
        labels=tuple(dict.fromkeys((*own.labels, *record.labels))),
        tags=tuple(dict.fromkeys((*own.tags, *record.tags))),
        state=record.state if own.state == "active" else own.state,
        reason=record.reason,
        pin=record.pin or own.pin,
        card=record.card,
    )


def _nowhere(name: str) -> str:
    """An address that is nobody else's and that nobody can have (RFC 2606), for what is answered here."""
    return f"http://{name}.invalid/"


def _card_url(url: str) -> str:
    """Where the specification puts the card of an agent: at the root of its host."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, _CARD_PATH, "", "")) if url else ""
