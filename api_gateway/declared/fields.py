"""Specs as plain data, without what is as it would be anyway, and what differs between two of them."""

from datetime import datetime
from functools import cache
from typing import Any

from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo
from msgspec.structs import fields as struct_fields


def plain(value: object) -> Any:
    """`value` as YAML or JSON says it; members of Structs that have their default are left out. What is in a
    dict is JSON already, however deep.
    """
    if isinstance(value, Struct):
        config = value.__struct_config__
        tag = {config.tag_field: config.tag} if config.tag_field and config.tag is not None else {}
        members = ((field, getattr(value, field.name)) for field in _fields(type(value)))
        return tag | {field.encode_name: plain(held) for field, held in members if held != _default(field)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def differences(held: Struct, wanted: Struct) -> list[dict[str, Any]]:
    """Each member that is not the same, as `{field, before, after}`; None is "as it is without it"."""
    before, after = plain(held), plain(wanted)
    names = [field.encode_name for field in _fields(type(wanted))]
    return [
        {"field": name, "before": before.get(name), "after": after.get(name)}
        for name in names
        if before.get(name) != after.get(name)
    ]


@cache
def _fields(kind: type[Struct]) -> tuple[FieldInfo, ...]:
    return struct_fields(kind)


def _default(field: FieldInfo) -> object:
    if field.default_factory is not NODEFAULT:
        return field.default_factory()
    return field.default
