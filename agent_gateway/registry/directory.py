"""`GET /agents`: the catalog card. It lists what this caller may use, and finds it by skill, tag, text and
meaning.
"""

from urllib.parse import parse_qs

import msgspec

from agent_gateway.cards import Cards
from agent_gateway.catalog import Catalog
from agent_gateway.registry.nearest import Nearest
from agent_gateway.registry.skills import Known, known, score, usable, words_of
from agent_gateway.trust import Trust
from shared.asgi import Exchange
from shared.identity.principal import Caller
from shared.policy import Policy, PolicyBox

_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"private, no-store")]
_LONGEST_QUERY = 500


class Directory:
    def __init__(
        self, catalog: Catalog, cards: Cards, trust: Trust, policy: PolicyBox, *, public_url: str
    ) -> None:
        self._catalog = catalog
        self._cards = cards
        self._trust = trust
        self._policy = policy
        self._public_url = public_url.rstrip("/")
        self._nearest = Nearest()

    async def __call__(self, exchange: Exchange, caller: Caller) -> None:
        """Query: `skill` (an id), `tag`, `q` (words), `like` (what is wanted, in any words); several narrow
        each other down.
        """
        query = {name: values[-1][:_LONGEST_QUERY] for name, values in parse_qs(exchange.query).items()}
        found = await self.find(caller, query)
        body = msgspec.json.encode({"agents": [self._entry(each) for each in found]})
        await exchange.reply(200, _HEADERS, b"" if exchange.method == "HEAD" else body)

    async def find(self, caller: Caller, query: dict[str, str]) -> list[Known]:
        """The agents that the caller may use and that fit, best first."""
        policy, words = self._policy.current, words_of(query.get("q", ""))
        # Skills alone may be allowed: which there are is only known from the card.
        mine = [agent for agent in self._catalog if agent.serves in ("", caller.principal.tenant)]
        fitting = []
        for each in await known(mine, self._cards):
            seen = self._seen(policy, caller, each)
            if seen is not None and _fits(seen, query):
                points = score(seen, words) if words else 1
                if points:
                    fitting.append((points, seen))
        found = [each for _, each in sorted(fitting, key=lambda item: (-item[0], item[1].agent.name))]
        like = query.get("like", "").strip()
        # Only what the caller may see is compared: what others have moves nothing.
        return await self._nearest(like, found) if like else found

    async def able(self, caller: Caller, skill: str, query: str) -> list[str]:
        """The names of agents in service that have this skill, which the caller may use; `query` may name a
        `tag`.
        """
        tag = parse_qs(query).get("tag", [""])[-1][:_LONGEST_QUERY]
        found = await self.find(caller, {"skill": skill, "tag": tag})
        return [each.agent.name for each in found if _in_service(each, self._trust)]

    def _seen(self, policy: Policy, caller: Caller, found: Known) -> Known | None:
        """With the skills that the caller may use; None where it may use nothing of it."""
        skills = tuple(skill for skill in found.skills if usable(policy, caller, found.agent, skill.id))
        if not skills and not usable(policy, caller, found.agent):
            return None
        return msgspec.structs.replace(found, skills=skills)

    def _entry(self, found: Known) -> dict[str, object]:
        agent = found.agent
        url = f"{self._public_url}/agents/{agent.name}"
        return {
            "name": agent.name,
            "url": url,
            "card": f"{url}/.well-known/agent-card.json",
            "title": found.title,
            "description": found.description,
            "owner": agent.owner,
            "version": agent.version,
            "labels": agent.labels,
            "tags": agent.tags,
            "state": "quarantined" if self._trust.drift(agent) is not None else agent.state,
            "skills": [msgspec.to_builtins(skill) for skill in found.skills],
        }


def _in_service(found: Known, trust: Trust) -> bool:
    return found.agent.state == "active" and trust.drift(found.agent) is None


def _fits(found: Known, query: dict[str, str]) -> bool:
    skill, tag = query.get("skill", ""), query.get("tag", "")
    if skill and all(each.id != skill for each in found.skills):
        return False
    tags = {*found.agent.tags, *(each for one in found.skills for each in one.tags)}
    return not tag or tag in tags
