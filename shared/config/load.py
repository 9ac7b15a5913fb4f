"""Reading `gatestack.yaml`: parse, fill in `${…}`, build the shared part and one service's own section."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import yaml
from msgspec import Struct

from shared.config.build import Builder, Resolved, built
from shared.config.control import problems as control_problems
from shared.config.sections import Shared
from shared.identity.issuer import problems as issuer_problems
from shared.policy.document import PolicyDocument
from shared.policy.rules import problems as policy_problems
from shared.policy.rules import read_files

SERVICES = ("api_gateway", "llm_gateway", "mcp_gateway", "agent_gateway")
Section = TypeVar("Section", bound=Struct)
Problem = str
# The C parser where the library was built with it: ten times faster on a policy of a thousand rules.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_REFERENCE = re.compile(r"\$\{([^}]*)\}")


class ConfigProblems(Exception):
    """Everything that is wrong with a configuration file, each with its path."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        super().__init__(f"{path}: {len(problems)} problem(s)")
        self.path = path
        self.problems = problems


class Loaded(Struct, Generic[Section], frozen=True):
    """`base` is the folder of the file: relative paths start there."""

    shared: Shared
    section: Section
    base: Path

    def path(self, value: str) -> Path:
        return (self.base / value).resolve()


def load(
    path: Path,
    service: str,
    section: type[Section],
    check: Callable[[Section], list[str]],
    environ: Mapping[str, str] | None = None,
) -> Loaded[Section]:
    """The shared part and the `service` section of the file at `path`. Raises ConfigProblems with all of
    them.
    """
    environ = os.environ if environ is None else environ
    builder = Builder()
    # What only another service reads may name variables and files that only it has.
    whole = _parse(path)
    read = {name: value for name, value in whole.items() if name == service or name not in SERVICES}
    data = _fill(read, environ, builder.problems, "", path.parent)
    for name in data:
        if name not in SERVICES and name not in Shared.__struct_fields__:
            known = ", ".join((*Shared.__struct_fields__, *SERVICES))
            builder.problems.append(f"{name}: unknown section (known: {known})")
    common = {name: data[name] for name in Shared.__struct_fields__ if name in data}
    shared = builder.build(common, Shared, "")
    own = builder.build(data.get(service), section, service)
    if built(own):
        builder.problems += [f"{service}.{problem}" for problem in check(own)]
    if built(shared):
        builder.problems += [f"identity.{problem}" for problem in issuer_problems(shared.identity.issuers)]
        builder.problems += [
            f"control.{found}" for found in control_problems(shared.control, path.parent.joinpath)
        ]
        shared = _with_policy_files(shared, path.parent, builder.problems)
    if builder.problems:
        raise ConfigProblems(path, builder.problems)
    return Loaded(shared=shared, section=own, base=path.parent.resolve())


def load_plain(path: Path, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The whole file as plain data, for who only looks at it: what is not set is left empty. Raises
    ConfigProblems where it cannot be read.
    """
    found: dict[str, Any] = _fill(
        _parse(path), os.environ if environ is None else environ, [], "", path.parent
    )
    return found


def load_policy(path: Path, environ: Mapping[str, str] | None = None) -> PolicyDocument:
    """The policy in a file of its own, or in the section `policy` of a whole configuration, with what its
    files hold. Whether its rules make sense is not asked here. Raises ConfigProblems.
    """
    whole = _parse(path)
    part = whole.get("policy", whole)
    builder = Builder()
    filled = _fill(part, os.environ if environ is None else environ, builder.problems, "", path.parent)
    document = builder.build(filled, PolicyDocument, "")
    if built(document):
        try:
            rules = read_files(document, path.parent)
            document = PolicyDocument(**msgspec.structs.asdict(rules), tests=document.tests)
        except (OSError, ValueError) as error:
            builder.problems.append(f"files: {error}")
    if builder.problems:
        raise ConfigProblems(path, builder.problems)
    found: PolicyDocument = document
    return found


def _parse(path: Path) -> dict[str, Any]:
    try:
        with path.open() as text:
            data = yaml.load(text, Loader=_UniqueLoader)  # noqa: S506  a SafeLoader below
    except FileNotFoundError as error:
        hint = "--config or GATESTACK_CONFIG names another; examples/gatestack.yaml is one to start from"
        raise ConfigProblems(path, [f"there is no such file ({hint})"]) from error
    except OSError as error:
        raise ConfigProblems(path, [f"cannot be read: {error.strerror}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigProblems(path, [f"is not valid YAML: {error}"]) from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigProblems(path, ["must hold sections by name at its top"])
    return data


class _UniqueLoader(_SafeLoader):  # type: ignore[misc]
    """Stock YAML lets the last of two equal keys win; in a file that grants rights that must not pass
    unnoticed.
    """

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def _fill(value: Any, environ: Mapping[str, str], problems: list[str], path: str, base: Path) -> Any:
    """`value` with every `${NAME}`, `${NAME:-default}` and `${file:path}` replaced."""
    if isinstance(value, dict):
        return {
            k: _fill(v, environ, problems, f"{path}.{k}" if path else str(k), base) for k, v in value.items()
        }
    if isinstance(value, list):
        return [_fill(item, environ, problems, f"{path}[{n}]", base) for n, item in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value

    def replace(match: re.Match[str]) -> str:
        reference = match[1]
        if reference.startswith("file:"):
            return _file(base / reference[5:], problems, path)
        name, colon, default = reference.partition(":-")
        found = environ.get(name)
        if found is None and not colon:
            problems.append(f"{path}: the environment variable {name} is not set")
        return found if found is not None else default

    return Resolved(_REFERENCE.sub(replace, value))


def _file(path: Path, problems: list[str], where: str) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{where}: the file {path} cannot be read: {error}")
        return ""


def _with_policy_files(shared: Shared, base: Path, problems: list[str]) -> Shared:
    try:
        rules = read_files(shared.policy, base)
    except (OSError, ValueError) as error:
        problems.append(f"policy.files: {error}")
        return shared
    problems += [f"policy.{problem}" for problem in policy_problems(rules)]
    return msgspec.structs.replace(shared, policy=rules)
