"""Curated catalogs: which items are in one, and what they are called and how they read there."""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Raw

from mcp_gateway import meta
from mcp_gateway.catalog_rule import CatalogRule, CatalogTool
from mcp_gateway.config import ServerRule
from mcp_gateway.items import Item, resource_of
from mcp_gateway.methods import KINDS, Kind
from mcp_gateway.surfaces import Surface, joined
from shared.policy import PolicyBox
from shared.policy.glob import covers, overlaps

_PREFIX = "catalog:"
_UNEDITED = CatalogTool()


class Catalogs:
    """An item is in a catalog because the configuration says so, or because policy groups it there."""

    def __init__(
        self, rules: Mapping[str, CatalogRule], servers: Mapping[str, ServerRule], policy: PolicyBox
    ) -> None:
        self._rules = rules
        self._policy = policy
        self._servers = servers
        self._renamed = {
            name: {edit.name: tool for tool, edit in rule.tools.items() if edit.name}
            for name, rule in rules.items()
        }
        self._edited: dict[tuple[str, str], tuple[bytes, bytes]] = {}

    def rule(self, catalog: str) -> CatalogRule | None:
        return self._rules.get(catalog)

    def marks(self, server: str, name: str, labels: tuple[str, ...]) -> tuple[str, ...]:
        """The catalogs that the configuration puts an item in, as labels."""
        place = f"{server}/{name}"
        return tuple(
            f"{_PREFIX}{each}" for each, rule in self._rules.items() if _selects(rule, place, labels)
        )

    def servers(self, catalog: str) -> tuple[str, ...]:
        """The servers that may have something in it: no others have to be asked."""
        return tuple(server for server in self._servers if self._concerns(catalog, server))

    def holds(self, catalog: str, kind: Kind, server: str, name: str, labels: tuple[str, ...]) -> bool:
        """Whether an item with these labels is in `catalog`."""
        rule = self._rules.get(catalog)
        if rule is None or any(covers(pattern, f"{server}/{name}") for pattern in rule.exclude):
            return False
        if f"{_PREFIX}{catalog}" in labels:
            return True
        grouped = self._policy.current.catalogs.of(resource_of(kind, server, name))
        return f"{_PREFIX}{catalog}" in grouped

    def own(self, catalog: str, given: str) -> tuple[str, str] | None:
        """Server and own name of the tool that is called `given` by an edit of `catalog`."""
        tool = self._renamed.get(catalog, {}).get(given)
        if tool is None:
            return None
        server, _, name = tool.partition("/")
        return server, name

    def name(self, surface: Surface, server: str, item: Item) -> str:
        """What an item is called at an endpoint."""
        if surface.server:
            return item.name
        edit = self._edit(surface.catalog, item.kind, server, item.name)
        return edit.name or joined(server, item.kind, item.name)

    def all_shown(self, surface: Surface, server: str, items: Iterable[Item]) -> list[bytes]:
        """`shown` for each of what may be thousands."""
        if surface.server or surface.catalog:
            return [self.shown(surface, server, item) for item in items]
        return [item.merged for item in items]

    def shown(self, surface: Surface, server: str, item: Item) -> bytes:
        """The definition of an item as an endpoint shows it."""
        if surface.server:
            return item.own
        edit = self._edit(surface.catalog, item.kind, server, item.name)
        if edit is _UNEDITED:
            return item.merged
        place = (surface.catalog, f"{server}/{item.name}")
        source, shown = self._edited.get(place, (b"", b""))
        if source is not item.merged:
            shown = _rewritten(item.merged, edit)
            self._edited[place] = (item.merged, shown)
        return shown

    def _edit(self, catalog: str, kind: Kind, server: str, name: str) -> CatalogTool:
        rule = self._rules.get(catalog) if catalog and kind == "tool" else None
        return rule.tools.get(f"{server}/{name}", _UNEDITED) if rule is not None else _UNEDITED

    def _concerns(self, catalog: str, server: str) -> bool:
        rule = self._rules[catalog]
        if rule.labels or any(overlaps(pattern, f"{server}/*") for pattern in rule.include):
            return True
        grouped = self._policy.current.catalogs.links
        places = [resource_of(kind, server, "*") for kind in KINDS]
        return any(
            resource.startswith(_PREFIX) or any(overlaps(resource, place) for place in places)
            for resource, group in grouped
            if group == f"{_PREFIX}{catalog}"
        )


def _selects(rule: CatalogRule, place: str, labels: tuple[str, ...]) -> bool:
    if any(covers(pattern, place) for pattern in rule.exclude):
        return False
    if any(label in rule.labels for label in labels):
        return True
    return any(covers(pattern, place) for pattern in rule.include)


def _rewritten(definition: bytes, edit: CatalogTool) -> bytes:
    members = meta.members(definition)
    for key, value in (("name", edit.name), ("description", edit.description)):
        if value:
            members[key] = Raw(msgspec.json.encode(value))
    return msgspec.json.encode(members)
