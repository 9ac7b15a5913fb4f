"""From bytes to an OpenAPI document that can be read without fear: JSON or YAML, of a version that is
spoken.
"""

import re
from typing import Any

import msgspec
import yaml
from msgspec import Struct, field

_VERSION = re.compile(r"3\.(0|1)\.\d{1,3}(-\w{1,20})?")
# The schemas of real documents stay below 30.
_DEEPEST = 100
_MOST_PARTS = 500_000


class Unusable(ValueError):
    """A document, or a part of one, that cannot be used; the text says which and why."""


class Room:
    """How many parts all schemas of a document may have together, once their references are resolved: a small
    document can refer to one large schema from everywhere.
    """

    def __init__(self) -> None:
        self.left = _MOST_PARTS


class Document(Struct, frozen=True):
    """`old` documents are of 3.0, whose schemas are not those of JSON Schema. `place` is their address."""

    root: dict[str, Any]
    old: bool
    place: str = ""
    room: Room = field(default_factory=Room)

    @property
    def title(self) -> str:
        return self._info("title") or "api"

    @property
    def version(self) -> str:
        return self._info("version") or "0"

    def _info(self, name: str) -> str:
        info = self.root.get("info")
        value = info.get(name) if isinstance(info, dict) else None
        return value[:200] if isinstance(value, str) else ""


def read(raw: bytes, place: str = "") -> Document:
    """The document in `raw`. Raises Unusable."""
    try:
        root = msgspec.json.decode(raw) if raw.lstrip()[:1] == b"{" else _from_yaml(raw)
    except (msgspec.DecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise Unusable(f"it is neither JSON nor YAML: {str(error)[:200]}") from error
    version = root.get("openapi") if isinstance(root, dict) else None
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise Unusable("it is no OpenAPI document of version 3.0 or 3.1")
    return Document(root=root, old=version.startswith("3.0"), place=place)


class _Loader(yaml.CSafeLoader):
    """Only what JSON knows too: a date stays the text that it is."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _from_yaml(raw: bytes) -> Any:
    depth = 0
    # Its loader builds recursively in C, and aliases multiply: both are looked for before it runs.
    for event in yaml.parse(raw, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise Unusable("it has YAML aliases, which are not followed")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise Unusable(f"it is nested more than {_DEEPEST} levels deep")
    return _plain(yaml.load(raw, Loader=_Loader))  # noqa: S506  it is a SafeLoader


def _plain(value: Any) -> Any:
    """The same with texts as keys: YAML reads the status 200 as a number."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
