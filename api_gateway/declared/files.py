"""Objects in YAML files: one or many documents a file, each with `kind`, `name` and `spec`. Every mistake is
told at once, with its file and line.
"""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from api_gateway.declared import SHAPES
from shared.config.build import Builder, built

# The C parser where the library was built with it: five thousand objects are read in half a second.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_SUFFIXES = (".yaml", ".yml")
_WIDTH = 110


class Declared(Struct, frozen=True):
    """An object as a file says it shall be. `place` is `file:line`."""

    kind: str
    name: str
    spec: Struct
    place: str


class FileProblems(Exception):
    """Everything that is wrong with the files, each with `file:line`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(f"{len(problems)} problem(s)")
        self.problems = problems


class _Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: str
    name: str
    spec: dict[str, Any]


def read(path: Path) -> list[Declared]:
    """What is declared in a file, or in all below a folder. Raises FileProblems."""
    found: list[Declared] = []
    problems: list[str] = []
    seen: dict[tuple[str, str], str] = {}
    for file in _files(path, problems):
        for one in _read(file, problems):
            first = seen.setdefault((one.kind, one.name), one.place)
            if first is not one.place:
                problems.append(f"{one.place}: {one.kind} {one.name} stands at {first} already")
            found.append(one)
    if problems:
        raise FileProblems(problems)
    return found


def written(objects: Iterable[dict[str, Any]]) -> str:
    """Documents that `read` reads, of `{kind, name, spec}`."""
    documents = [{part: one[part] for part in ("kind", "name", "spec")} for one in objects]
    text: str = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text


def _files(path: Path, problems: list[str]) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
    if not found:
        problems.append(f"{path}: holds no {' or '.join(_SUFFIXES)} file")
    return found


def _read(file: Path, problems: list[str]) -> Iterator[Declared]:
    try:
        loader = _Loader(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problems.append(f"{file}: cannot be read: {error}")
        return
    try:
        while loader.check_node():
            node = loader.get_node()
            lines = dict(_lines(node, "", f"{file}", problems))
            if (one := _object(loader.construct_document(node), lines, file, problems)) is not None:
                yield one
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file}:{mark.line + 1}" if mark is not None else f"{file}"
        problems.append(f"{place}: is not valid YAML: {getattr(error, 'problem', None) or error}")
    finally:
        loader.dispose()


def _object(data: Any, lines: dict[str, int], file: Path, problems: list[str]) -> Declared | None:
    if data is None:
        return None
    with contextlib.suppress(msgspec.ValidationError, KeyError):
        document = msgspec.convert(data, _Document)
        spec = msgspec.convert(document.spec, SHAPES[document.kind].spec)
        return Declared(document.kind, document.name, spec, f"{file}:{lines['']}")
    # Only what does not fit is looked at slowly, for every mistake in it and its place.
    return _looked_at(data, lines, file, problems)


def _looked_at(data: Any, lines: dict[str, int], file: Path, problems: list[str]) -> Declared | None:
    builder = Builder()
    document = builder.build(data, _Document, "")
    spec: Any = None
    if built(document) and document.kind in SHAPES:
        spec = builder.build(document.spec, SHAPES[document.kind].spec, "spec")
    elif built(document):
        builder.problems.append(f"kind: {document.kind[:40]!r} is none of {', '.join(SHAPES)}")
    problems += [f"{file}:{_line(lines, problem)}: {problem}" for problem in builder.problems]
    if builder.problems:
        return None
    return Declared(document.kind, document.name, spec, f"{file}:{lines['']}")


def _lines(node: yaml.Node, path: str, file: str, problems: list[str]) -> Iterator[tuple[str, int]]:
    """Where each member stands, by the path under which a mistake in it is told."""
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            below = f"{path}.{key.value}".lstrip(".")
            if key.value in seen:
                problems.append(f"{file}:{key.start_mark.line + 1}: {below}: stands twice")
            seen.add(key.value)
            yield from _lines(value, below, file, problems)
            yield below, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _lines(item, f"{path}[{number}]", file, problems)


def _line(lines: dict[str, int], problem: str) -> int:
    """The line of the place that a problem begins with, or of what it is missing in."""
    place = problem.partition(": ")[0]
    while place and place not in lines:
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return lines[place]
