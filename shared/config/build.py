"""Plain YAML data to frozen Structs, collecting every problem instead of stopping at the first."""

import difflib
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import fields as struct_fields

_FAILED: Any = object()


class Secret:
    """A value that must come from the environment or a file and never shows itself."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(***)" if self._value else "Secret()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class Resolved(str):
    """A string that came from `${…}`: the only kind that a Secret accepts, and one that may stand for a
    number.
    """

    __slots__ = ()


class Builder:
    """Builds values and remembers what was wrong, as `path: what, and what to do`."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def build(self, value: Any, kind: Any, path: str) -> Any:
        """`value` as `kind`, or a marker that no Struct will be made from; the problem is then on record."""
        kind = _pick(kind, value)
        origin = get_origin(kind)
        if isinstance(kind, type) and issubclass(kind, Struct):
            return self._struct(value, kind, path)
        if kind is Secret:
            return self._secret(value, path)
        if origin is dict and isinstance(value, dict):
            return self._each(((str(k), v) for k, v in value.items()), get_args(kind)[1], path, dict)
        if origin in (list, tuple) and isinstance(value, list):
            return self._each(enumerate(value), get_args(kind)[0], path, origin)
        return self._leaf(value, kind, path)

    def _struct(self, value: Any, kind: type[Struct], path: str) -> Any:
        if value is None:
            value = {}
        if not isinstance(value, dict):
            return self._fail(path, f"expected a section with names, got {_shown(value)}")
        known = {field.encode_name: field for field in struct_fields(kind)}
        failed = False
        for name in value:
            if name not in known and name != _tag_field(kind):
                self._fail(f"{path}.{name}", f"unknown name{_meant(str(name), known)}")
                failed = True
        built: dict[str, Any] = {}
        for name, field in known.items():
            if name in value:
                built[field.name] = item = self.build(value[name], field.type, f"{path}.{name}")
                failed = failed or item is _FAILED
            elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
                self._fail(f"{path}.{name}", "missing, and it has no default")
                failed = True
        return _FAILED if failed else kind(**built)

    def _each(self, items: Any, kind: Any, path: str, container: type) -> Any:
        built = [(key, self.build(item, kind, _child(path, key))) for key, item in items]
        if any(item is _FAILED for _, item in built):
            return _FAILED
        return dict(built) if container is dict else container(item for _, item in built)

    def _secret(self, value: Any, path: str) -> Any:
        if isinstance(value, Resolved):
            return Secret(str(value))
        return self._fail(path, "a secret must not stand in this file: write ${NAME} or ${file:/path}")

    def _leaf(self, value: Any, kind: Any, path: str) -> Any:
        resolved = isinstance(value, Resolved)
        try:
            return msgspec.convert(str(value) if resolved else value, kind, strict=not resolved)
        except msgspec.ValidationError as error:
            if get_origin(kind) is Literal:
                known = ", ".join(str(choice) for choice in get_args(kind))
                return self._fail(path, f"{str(value)[:40]!r} is none of {known}")
            return self._fail(path, str(error).replace(" - at `$`", ""))

    def _fail(self, path: str, message: str) -> Any:
        self.problems.append(f"{path.lstrip('.')}: {message}")
        return _FAILED


def built(value: Any) -> bool:
    return value is not _FAILED


def _pick(kind: Any, value: Any) -> Any:
    """The member of a union that `value` means: by null, or by the tag of tagged Structs."""
    if (
        get_origin(kind) is Annotated
        and isinstance(get_args(kind)[0], type)
        and issubclass(get_args(kind)[0], Struct)
    ):
        kind = get_args(kind)[0]
    if get_origin(kind) not in (Union, types.UnionType):
        return kind
    members = [member for member in get_args(kind) if member is not type(None)]
    if value is None and len(members) < len(get_args(kind)):
        return type(None)
    structs = [member for member in members if isinstance(member, type) and issubclass(member, Struct)]
    for member in structs:
        config = member.__struct_config__
        if isinstance(value, dict) and config.tag is not None and value.get(config.tag_field) == config.tag:
            return member
    return members[0] if len(members) == 1 else kind


def _tag_field(kind: type[Struct]) -> str | None:
    return kind.__struct_config__.tag_field if kind.__struct_config__.tag is not None else None


def _child(path: str, key: object) -> str:
    return f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}"


def _meant(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {close[0]!r}?" if close else f" (known: {', '.join(known)})"


def _shown(value: Any) -> str:
    return f"{type(value).__name__} {str(value)[:40]!r}"
