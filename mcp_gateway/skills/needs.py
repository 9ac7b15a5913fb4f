"""What a skill needs, as one caller may know it: what it may use and has, and what it has to do without."""

from typing import Literal

from msgspec import Struct

from mcp_gateway.authorize import Authorize
from mcp_gateway.catalog import Catalog
from mcp_gateway.items import resource_of
from mcp_gateway.methods import ACTIONS, Kind
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

    async def __call__(self, skill: Skill, caller: Caller) -> Needed:
        text = skill.text
        found = [
            *[await self._item("tool", name, caller) for name in text.tools],
            *[await self._item("prompt", name, caller) for name in text.prompts],
            *[await self._model(name, caller) for name in text.models],
        ]
        known = tuple(need for need in found if need is not None)
        complete = len(known) == len(found) and all(need.ready for need in known)
        return Needed(known, complete)

    async def reads(self, name: str, caller: Caller) -> bool:
        """Whether the caller may read the skill of this id, in whatever version."""
        resource = resource_of("resource", SKILLS, SCHEME + name)
        labels = self._shelf.labels(name)
        if SKILLS in self._catalog.servers:
            labels = self._catalog.labels(SKILLS, "resource", SCHEME + name)
        return await self._authorize.may(caller, resource, (ACTIONS["resource"],), labels)

    async def _item(self, kind: Literal["tool", "prompt"], name: str, caller: Caller) -> Need | None:
        """None for what the caller may neither use nor list."""
        server, _, own = name.partition("/")
        if await self._has(kind, server, own, caller):
            return Need(kind, name, ready=True)
        labels = self._catalog.labels(server, kind, own) if server in self._catalog.servers else ()
        resource, actions = resource_of(kind, server, own), (ACTIONS[kind], "list")
        known = await self._authorize.may(caller, resource, actions, labels)
        return Need(kind, name, ready=False) if known else None

    async def _has(self, kind: Kind, server: str, own: str, caller: Caller) -> bool:
        listings = await self._catalog.listings((server,)) if server in self._catalog.servers else {}
        visible = await self._authorize.visible(listings, kind, caller, MERGED)
        return any(item.name == own for item in visible.get(server, ()))

    async def _model(self, name: str, caller: Caller) -> Need | None:
        """Which models there are is not known here, only which the caller may use."""
        if await self._authorize.may(caller, f"model:{name}", ("invoke",)):
            return Need("model", name, ready=True)
        known = await self._authorize.may(caller, f"model:{name}", ("list",))
        return Need("model", name, ready=False) if known else None
