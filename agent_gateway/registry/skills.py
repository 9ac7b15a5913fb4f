"""Agents and their skills as policy and search see them: read from cards, and believed no further."""

import asyncio
import contextlib
import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from agent_gateway.cards import Cards
from agent_gateway.catalog import Agent
from shared.errors import GatestackError
from shared.identity.principal import Caller
from shared.policy import Decision, Policy

USING = ("invoke", "read")
# Refusals that no rule made: nothing allows it, or the credential's scope stops short of it.
_SILENT = ("", "scope")
_SECONDS = 2.0
_WORD = re.compile(r"[a-z0-9]+")
_LONGEST_TEXT = 2_000
# Policy is asked about each of them whenever somebody looks for an agent, and a card is its publisher's.
_MOST_SKILLS = 500


class Skill(Struct, frozen=True):
    """One skill of an agent's card."""

    id: str
    name: str
    description: str
    tags: tuple[str, ...]


class Known(Struct, frozen=True):
    """An agent with what its card says; `skills` is empty while that cannot be had."""

    agent: Agent
    title: str
    description: str
    skills: tuple[Skill, ...]


async def known(agents: Iterable[Agent], cards: Cards) -> list[Known]:
    """Every agent with its card's skills. One that does not answer in time is listed without."""

    async def one(agent: Agent) -> Known:
        content: dict[str, object] = dict(agent.card)
        with contextlib.suppress(GatestackError, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                content = (await cards.of(agent)).content
        listed = content.get("skills")
        items = listed[:_MOST_SKILLS] if isinstance(listed, list) else []
        return Known(
            agent,
            _text(content.get("name")) or agent.name,
            _text(content.get("description")),
            tuple(skill for item in items if (skill := _skill(item)) is not None),
        )

    return list(await asyncio.gather(*(one(agent) for agent in agents)))


def usable(policy: Policy, caller: Caller, agent: Agent, skill: str = "") -> bool:
    """Whether the caller might use the agent, or this skill of it: `agent:<name>/skill/<id>`."""
    facts = {"agent": agent.name, "labels": agent.labels, "skill": skill}
    if agent.serves and agent.serves != caller.principal.tenant:
        return False
    whole = any(policy.possible(caller, agent.principal, action, facts) for action in USING)
    if not skill:
        return whole
    resource = resource_of(agent.name, skill)
    if whole:
        return not denied(policy.decide_chain(caller, resource, "invoke", facts))
    part = any(policy.possible(caller, resource, action, facts) for action in USING)
    return part and not denied(policy.decide_chain(caller, agent.principal, "invoke", facts))


def denied(decision: Decision) -> bool:
    """Whether a rule speaks against it, which is more than that none speaks for it."""
    return not decision.allowed and decision.rule not in _SILENT


def resource_of(agent: str, skill: str) -> str:
    return f"agent:{agent}/skill/{skill}"


def score(found: Known, words: Sequence[str]) -> int:
    """How well an agent fits a search: every word must be found somewhere, names count most. 0 is not at
    all.
    """
    places = (
        (4, " ".join((found.agent.name, found.title))),
        (3, " ".join(f"{skill.id} {skill.name}" for skill in found.skills)),
        (2, " ".join((*found.agent.tags, *(tag for skill in found.skills for tag in skill.tags)))),
        (1, " ".join((found.description, *(skill.description for skill in found.skills)))),
    )
    weights = [(weight, frozenset(words_of(text))) for weight, text in places]
    total = 0
    for word in words:
        best = max((weight for weight, there in weights if _among(word, there)), default=0)
        if not best:
            return 0
        total += best
    return total


def words_of(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _among(word: str, words: frozenset[str]) -> bool:
    """A word counts where another begins with it, if that leaves a stem: `refund` finds `refunds`."""
    return word in words or (len(word) > 3 and any(each.startswith(word) for each in words))


def _skill(item: object) -> Skill | None:
    if not isinstance(item, dict) or not _text(item.get("id")):
        return None
    tags = item.get("tags")
    return Skill(
        _text(item["id"]),
        _text(item.get("name")),
        _text(item.get("description")),
        tuple(_text(tag) for tag in tags if _text(tag)) if isinstance(tags, list) else (),
    )


def _text(value: object) -> str:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else ""
