"""Files that a call names instead of sending them: where in it their names stand."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

Json = dict[str, Any]
ONE, SEVERAL = "file_id", "file_ids"
# What callers' own tools get and say, schemas, and what a model has cited: nobody acts on what stands there.
_OPAQUE = frozenset(
    (
        *("arguments", "args", "parameters", "input_schema", "schema", "json_schema", "response", "metadata"),
        *("parametersJsonSchema", "responseSchema", "responseJsonSchema", "response_schema"),
        *("annotations", "citations", "results"),
    )
)
_CALLS = frozenset(("tool_use", "server_tool_use", "mcp_tool_use"))
_SAID = frozenset(
    (
        *("file_citation", "container_file_citation", "file_path", "code_execution_output"),
        "bash_code_execution_output",
    )
)


def objects(whole: Any) -> Iterator[Json]:
    """Every object in a request in which providers look for what they are to do."""
    waiting = [whole]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += [item for item in value if isinstance(item, dict | list)]
        else:
            yield value
            skipped = "input" if kind_of(value) in _CALLS else ""
            waiting += [
                item
                for name, item in value.items()
                if isinstance(item, dict | list) and name not in _OPAQUE and name != skipped
            ]


def kind_of(value: Json) -> str | None:
    kind = value.get("type")
    return kind if isinstance(kind, str) else None


def told(value: Json) -> bool:
    """Whether an object is no wish but something that a model has said."""
    return kind_of(value) in _SAID


def named(value: Json) -> Iterator[tuple[str, str]]:
    """The files that one object names, each with the member that does it; what can be no name is empty."""
    one, several = value.get(ONE), value.get(SEVERAL)
    if one and isinstance(one, str) and not told(value):
        yield ONE, one
    if isinstance(several, list):
        yield from ((SEVERAL, name if isinstance(name, str) else "") for name in several)


def renamed(body: bytes, names: Mapping[str, str]) -> bytes:
    """A request with other names for its files: exactly where `named` finds them."""
    whole = msgspec.json.decode(body)
    for value in objects(whole):
        found = list(named(value))
        for _, name in (each for each in found if each[0] == ONE):
            value[ONE] = names.get(name, name)
        if several := [names.get(name, name) for member, name in found if member == SEVERAL]:
            value[SEVERAL] = several
    return msgspec.json.encode(whole)
