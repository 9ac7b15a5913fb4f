"""What a skill needs, as one caller may know it: what it may use and has, and what it has to do without."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from mcp_gateway.authorize import Authorize
from mcp_gateway.catalog import Catalog
from mcp_gateway.items import resource_of
from mcp_gateway.methods import ACTIONS, Kind
from mcp_gateway.sight import Sight
from mcp_gateway.skills.shelf import SCHEME, Skill, SkillShelf
from mcp_gateway.surfaces import MERGED
from mcp_gateway.transports import SKILLS
from shared.identity.principal import Caller


class Need(Struct, frozen=True):
    """`name` is `<server>/<name>`, or a model's alias."""

    kind: Literal["tool", "prompt", "model"]
    name: str
    ready: bool


class Needed(Struct, frozen=True):
    """What the caller may know of. `complete` is False where anything is missing, known or not."""

    needs: tuple[Need, ...]
    complete: bool


class Needs:
    def __init__(self, shelf: SkillShelf, authorize: Authorize, catalog: Catalog) -> None:
        self._shelf = shelf
        self._authorize = authorize
        self._catalog = catalog

    async def of(self, caller: Caller) -> "Reader":
        return Reader(
            self._shelf, self._authorize, self._catalog, caller, await self._authorize.sight(caller)
        )


class Reader:
    """One caller, while one request is answered."""

    def __init__(
        self, shelf: SkillShelf, authorize: Authorize, catalog: Catalog, caller: Caller, sight: Sight
    ) -> None:
        self._shelf = shelf
        self._authorize = authorize
        self._catalog = catalog
        self._caller = caller
        self._sight = sight
        self._has: dict[tuple[Kind, str], frozenset[str]] = {}

    def reads(self, name: str) -> bool:
        """Whether the caller may read the skill of this id, in whatever version."""
        labels = self._shelf.labels(name)
        if SKILLS in self._catalog.servers:
            labels = self._catalog.labels(SKILLS, "resource", SCHEME + name)
        resource = resource_of("resource", SKILLS, SCHEME + name)
        return self._sight(resource, (ACTIONS["resource"],), labels)

    async def needed(self, skills: Sequence[Skill]) -> list[Needed]:
        """What each of them needs. All servers are asked at once: those that let us wait do so together."""
        items = (name for skill in skills for name in (*skill.text.tools, *skill.text.prompts))
        servers = {name.partition("/")[0] for name in items}
        await self._catalog.listings(tuple(servers.intersection(self._catalog.servers)))
        return [await self._needed(skill) for skill in skills]

    async def _needed(self, skill: Skill) -> Needed:
        text = skill.text
        found = [
            *[await self._item("tool", name) for name in text.tools],
            *[await self._item("prompt", name) for name in text.prompts],
            *[self._model(name) for name in text.models],
        ]
        known = tuple(need for need in found if need is not None)
        complete = len(known) == len(found) and all(need.ready for need in known)
        return Needed(known, complete)

    async def _item(self, kind: Literal["tool", "prompt"], name: str) -> Need | None:
        """None for what the caller may neither use nor list."""
        server, _, own = name.partition("/")
        if own in await self._there(kind, server):
            return Need(kind, name, ready=True)
        labels = self._catalog.labels(server, kind, own) if server in self._catalog.servers else ()
        known = self._sight(resource_of(kind, server, own), (ACTIONS[kind], "list"), labels)
        return Need(kind, name, ready=False) if known else None

    async def _there(self, kind: Kind, server: str) -> frozenset[str]:
        """The names of what `server` has that the caller could use."""
        if (kind, server) not in self._has:
            listings = await self._catalog.listings((server,)) if server in self._catalog.servers else {}
            visible = await self._authorize.visible(listings, kind, self._caller, MERGED)
            self._has[kind, server] = frozenset(item.name for item in visible.get(server, ()))
        return self._has[kind, server]

    def _model(self, name: str) -> Need | None:
        """Which models there are is not known here, only which the caller may use."""
        if self._sight(f"model:{name}", ("invoke",)):
            return Need("model", name, ready=True)
        return Need("model", name, ready=False) if self._sight(f"model:{name}", ("list",)) else None
