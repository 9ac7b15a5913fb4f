"""A generated ledger: three months of a company's calls, in time order, the same for every run.

A thousand people in fifty teams of four tenants, the busiest a thousand times as busy as the idlest; forty
agents, twenty-four models, sixty servers with five tools. A chain is a call at the edge, and below it one
model call, or an agent that calls models and tools.
"""

import random
from collections.abc import Iterator
from itertools import accumulate, islice
from typing import Any

from shared.identity.principal import Caller, Principal
from shared.ledger.entry import Entry, Outcome, Usage
from shared.ledger.row import SealedRow, row_of, seal
from shared.store.columns import DAY_US

DAYS = 92
UNTIL_US = 1_792_058_400_000_000  # 2026-10-15T10:00Z, so that September is last month
SINCE_US = UNTIL_US - DAYS * DAY_US
LAST_MONTH = (1_788_220_800_000_000, 1_790_812_800_000_000)
PEOPLE, TEAMS, TENANTS, AGENTS, MODELS, SERVERS, TOOLS = 1_000, 50, 4, 40, 24, 60, 5
_WRITERS = ("api_gateway-w", "llm_gateway-w", "mcp_gateway-w", "agent_gateway-w")
_PROVIDERS = ("anthropic", "openai", "bedrock", "vertex", "local")
_ENDS = (Outcome.COMPLETED,) * 17 + (Outcome.FAILED, Outcome.REFUSED, Outcome.CLIENT_GONE)
_SCATTER = 0x9E3779B97F4A7C15F39CC0605D  # odd, so that no two chains get one id
_RNG = random.Random(6)
_BUSY = list(accumulate(1 / rank for rank in range(1, PEOPLE + 1)))


class _Person:
    """Who asks, and the few models, agents and tools that such a person uses."""

    def __init__(self, number: int) -> None:
        team = number % TEAMS
        self.principal = Principal(
            sub=f"user:person-{number:04}",
            tenant=f"tenant-{team % TENANTS}",
            team=f"team-{team:02}",
            project=f"project-{team:02}-{number % 3}",
        )
        self.key = f"key-{number:04}"
        self.models = [(team + step * step) % MODELS for step in range(6)]
        self.agents = [(number * 7 + step) % AGENTS for step in range(3)]
        self.tools = [((team + step) % SERVERS, step % TOOLS) for step in range(40)]


class _Chain:
    """One request at the edge and everything below it."""

    def __init__(self, person: _Person, number: int, at: int) -> None:
        self.person = person
        self.chain = chain_id(number)
        self._number = number
        self._at = at
        self._count = 0

    def entries(self) -> Iterator[Entry]:
        sub = self.person.principal.sub
        root = self._entry("api_gateway", "route:llm", (sub,), "")
        yield root
        if _RNG.random() < 0.4:
            yield self._model((sub,), root.id)
            return
        agent = f"agent:worker-{_RNG.choice(self.person.agents):02}"
        called = self._entry("agent_gateway", agent, (sub,), root.id, agent=agent.removeprefix("agent:"))
        yield called
        for _ in range(_RNG.randint(1, 6)):
            yield self._model((sub, agent), called.id)
            yield self._tool((sub, agent), called.id)

    def _model(self, actors: tuple[str, ...], parent: str) -> Entry:
        number = self.person.models[min(int(_RNG.expovariate(1)), 5)]
        usage = Usage(tokens_in=int(_RNG.random() * 4000) + 50, tokens_out=int(_RNG.random() * 900) + 10)
        name = f"model-{number:02}"
        entry = self._entry("llm_gateway", f"model:{name}", actors, parent, model=name)
        if entry.outcome is not Outcome.REFUSED:
            entry.usage, entry.provider = usage, _PROVIDERS[number % len(_PROVIDERS)]
            entry.cost_micros = usage.tokens_in * (number + 1) + usage.tokens_out * 4 * (number + 1)
        return entry

    def _tool(self, actors: tuple[str, ...], parent: str) -> Entry:
        server, tool = self.person.tools[int(_RNG.triangular(0, 40, 0))]
        name = f"server-{server:02}/tool-{tool}"
        return self._entry(
            "mcp_gateway", f"tool:{name}", actors, parent, server=name.partition("/")[0], tool=name
        )

    def _entry(
        self, service: str, resource: str, actors: tuple[str, ...], parent: str, **fields: Any
    ) -> Entry:
        self._count += 1
        outcome = _ENDS[int(_RNG.random() * len(_ENDS))]
        refused = outcome is Outcome.REFUSED
        return Entry(
            id=f"{self._number:022x}{self._count:04x}",
            service=service,
            started_at=self._at + self._count * 1000,
            caller=self._caller(actors, parent),
            resource=resource,
            action="invoke",
            decision="deny" if refused else "allow",
            rule="rule-17",
            epoch=1_789_000_000_000_000,
            outcome=outcome,
            reason="policy_denied" if refused else "",
            status=403 if refused else 200,
            duration_us=int(_RNG.random() * 3e6) + 2_000,
            trace_id=f"{self.chain:0>32}",
            span_id=f"{self._count:016x}",
            **fields,
        )

    def _caller(self, actors: tuple[str, ...], parent: str) -> Caller:
        return Caller(
            principal=self.person.principal,
            actors=actors,
            chain=self.chain,
            credential="key" if len(actors) == 1 else "delegation",
            key=self.person.key,
            parent=parent,
            hop=len(actors),
        )


def chain_id(number: int) -> str:
    """Ids lie anywhere in their index, as real ones do, and are the same in every run."""
    return f"{number * _SCATTER % 2**104:026x}"


def entries(count: int) -> Iterator[Entry]:
    """`count` entries in time order."""
    return islice(_endless(count), count)


def sealed(calls: Iterator[Entry]) -> Iterator[SealedRow]:
    """The rows that four writers make of these entries."""
    last = {writer.partition("-")[0]: (writer, 0, "") for writer in _WRITERS}
    for entry in calls:
        writer, seq, prev = last[entry.service]
        body, digest = seal(row_of(entry, writer=writer, seq=seq + 1, prev=prev))
        last[entry.service] = (writer, seq + 1, digest.hex())
        yield SealedRow(body, digest)


def _endless(count: int) -> Iterator[Entry]:
    people = [_Person(number) for number in range(PEOPLE)]
    # A chain has 6.3 entries on average; the last ones may lie a little beyond the end.
    step = DAYS * DAY_US * 63 // (count * 10)
    for number in range(count):
        person = _RNG.choices(people, cum_weights=_BUSY)[0]
        yield from _Chain(person, number, SINCE_US + number * step).entries()
