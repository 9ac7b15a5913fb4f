"""Tools, prompts, resources and templates of one server, as it defined them and as they are shown."""

from collections.abc import Callable, Iterable
from functools import cached_property

import msgspec
from msgspec import Raw, Struct

from mcp_gateway import meta
from mcp_gateway.config import ServerRule
from mcp_gateway.methods import KEYS, KINDS, Kind
from mcp_gateway.schema import Arguments
from mcp_gateway.surfaces import joined
from mcp_gateway.transports import AGENTS
from mcp_gateway.upstreams.upstream import Welcome

_PREFIXES: dict[Kind, str] = {
    "tool": "tool",
    "prompt": "prompt",
    "resource": "resource",
    "template": "resource",
}


DESTRUCTIVE = "destructive"
# What else an item is labelled with, by its server, its own name and its labels: the catalogs it is in.
Marks = Callable[[str, str, tuple[str, ...]], tuple[str, ...]]


class Item(Struct, frozen=True, kw_only=True, dict=True):
    """`name` is the server's own, `exposed` the one on the merged endpoint; `own` and `merged` are the
    definitions. `labels` are facts for policy: the operator's, the catalogs', and `destructive` where the
    server says so itself. `findings` are what made somebody look at it.
    """

    kind: Kind
    name: str
    exposed: str
    resource: str
    labels: tuple[str, ...]
    own: bytes
    merged: bytes
    schema: Raw = Raw()
    findings: tuple[str, ...] = ()

    @property
    def destructive(self) -> bool:
        return DESTRUCTIVE in self.labels

    @cached_property
    def arguments(self) -> Arguments:
        """Compiled when first needed, once."""
        return Arguments(self.schema)


class Held(Struct, frozen=True):
    """An item that is not shown, and why."""

    item: Item
    findings: tuple[str, ...]


class Listing(Struct, frozen=True, kw_only=True, dict=True):
    """All that one server has, in its own order; `held` is what it has and nobody is shown."""

    welcome: Welcome
    items: dict[Kind, dict[str, Item]]
    held: dict[tuple[Kind, str], Held] = {}

    @cached_property
    def _exposed(self) -> dict[tuple[Kind, str], str]:
        return {(kind, item.exposed): item.name for kind in KINDS for item in self.items[kind].values()}

    def own_name(self, kind: Kind, exposed: str) -> str | None:
        """What the server calls the item that the merged endpoint calls `exposed`."""
        return self._exposed.get((kind, exposed))

    def get(self, kind: Kind, name: str) -> Item | None:
        return self.items[kind].get(name)


def resource_of(kind: Kind, server: str, name: str) -> str:
    """What policy calls it. An agent is an agent, also where it is called like a tool."""
    if server == AGENTS and kind == "tool":
        return f"agent:{name}"
    return f"{_PREFIXES[kind]}:{server}/{name}"


def labels_of(rule: ServerRule, kind: Kind, name: str) -> tuple[str, ...]:
    own = rule.tools[name].labels if kind == "tool" and name in rule.tools else ()
    return tuple(dict.fromkeys((*rule.labels, *own)))


def no_marks(server: str, name: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    return ()


def items(
    server: str, kind: Kind, rule: ServerRule, definitions: Iterable[Raw], marks: Marks = no_marks
) -> dict[str, Item]:
    """The usable ones of a server's definitions by name; of two with one name, its own or that on the merged
    endpoint, the first.
    """
    found: dict[str, Item] = {}
    exposed: set[str] = set()
    for definition in definitions:
        item = _item(server, kind, rule, definition, marks)
        if item is not None and item.name not in found and item.exposed not in exposed:
            found[item.name] = item
            exposed.add(item.exposed)
    return found


def _item(server: str, kind: Kind, rule: ServerRule, definition: Raw, marks: Marks) -> Item | None:
    try:
        members = meta.members(definition)
        name = msgspec.json.decode(members.get(KEYS[kind], Raw(b"")), type=str)
    except msgspec.DecodeError:
        return None
    if not name:
        return None
    exposed = joined(server, kind, name)
    # Written anew, so that no member stands twice and everybody reads the same definition.
    labels = labels_of(rule, kind, name)
    if kind == "tool" and DESTRUCTIVE not in labels and _destroys(members.get("annotations", Raw())):
        labels = (*labels, DESTRUCTIVE)
    renamed = members | {KEYS[kind]: Raw(msgspec.json.encode(exposed))}
    return Item(
        kind=kind,
        name=name,
        exposed=exposed,
        resource=resource_of(kind, server, name),
        labels=(*labels, *marks(server, name, labels)),
        own=msgspec.json.encode(members),
        merged=msgspec.json.encode(renamed),
        schema=members.get("inputSchema", Raw()),
    )


class _Annotations(Struct, frozen=True):
    destructiveHint: bool = False


def _destroys(annotations: Raw) -> bool:
    """What cannot be read counts as a warning: nobody gains by saying so of a harmless tool."""
    if bytes(annotations) in (b"", b"null"):
        return False
    try:
        return msgspec.json.decode(annotations, type=_Annotations).destructiveHint
    except (msgspec.DecodeError, RecursionError):
        return True
