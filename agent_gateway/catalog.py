"""Which agents there are, where each is reached, and which of them are one and the same."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from agent_gateway.config import AgentEntry, Timeouts
from shared.egress import origin

PREFIX = "agent:"
_CARD_PATH = "/.well-known/agent-card.json"


class Agent(Struct, frozen=True, kw_only=True):
    """One configured agent. `url` is empty where only its card says it."""

    name: str
    url: str
    card_url: str
    headers: tuple[tuple[bytes | str, bytes | str], ...]
    delegates: bool
    tenant: str
    labels: tuple[str, ...]
    timeouts: Timeouts

    @property
    def principal(self) -> str:
        return PREFIX + self.name


class Endpoint(Struct, frozen=True):
    """Where an agent takes JSON-RPC requests, and what it wants to be called `tenant` in them."""

    url: str
    tenant: str

    @property
    def identity(self) -> tuple[tuple[str, str, int], str, str, str]:
        """Equal for two spellings of one endpoint."""
        parts = urlsplit(self.url)
        return origin(self.url), parts.path.rstrip("/"), parts.query, self.tenant


class Catalog:
    def __init__(self, agents: Mapping[str, AgentEntry]) -> None:
        self._agents = {name: _agent(name, entry) for name, entry in agents.items()}

    def find(self, name: str) -> Agent | None:
        return self._agents.get(name)

    def acting(self, actor: str) -> Agent | None:
        """The agent that is meant by a principal such as `agent:planner`, where it is one of ours."""
        return self._agents.get(actor.removeprefix(PREFIX)) if actor.startswith(PREFIX) else None

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._agents.values())


def _agent(name: str, entry: AgentEntry) -> Agent:
    return Agent(
        name=name,
        url=entry.url,
        card_url=entry.card_url or _card_url(entry.url),
        headers=tuple((header.lower(), secret.reveal()) for header, secret in entry.headers.items()),
        delegates=entry.credential == "delegation",
        tenant=entry.tenant,
        labels=tuple(entry.labels),
        timeouts=entry.timeouts,
    )


def _card_url(url: str) -> str:
    """Where the specification puts the card of an agent: at the root of its host."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, _CARD_PATH, "", ""))
