"""What an operator wants changed in the headers of a route's requests or replies. Who somebody is cannot be
written this way, nor what frames a message.
"""

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from api_gateway import guard
from shared.asgi import HOP_BY_HOP, Headers
from shared.config import Secret

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_VALUE = re.compile(r"[\x20-\x7e\x80-\xff]{0,4096}")
_FRAMES = HOP_BY_HOP | {b"content-length", b"content-encoding", b"host", b"expect", b"date", b"server"}
_OURS = frozenset((b"traceparent", b"tracestate", b"set-cookie"))
Header = tuple[bytes, bytes]


class HeaderRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First `rename` (old name: new name, which then comes from nowhere else), then `remove`, then `set`
    (name: value, instead of what was there).
    """

    rename: dict[str, str] = {}
    remove: list[str] = []
    set: dict[str, str] = {}


class HeaderChange:
    """A rule at work on headers with names in lower case. Where a name gives way, so does the same with
    underscores: some services read both as one.
    """

    def __init__(self, rule: HeaderRule) -> None:
        self._renamed = {_low(old): _low(new) for old, new in rule.rename.items()}
        self._set = [(_low(name), value.encode("latin-1")) for name, value in rule.set.items()]
        self._removed = {_plain(_low(name)) for name in (*rule.remove, *rule.set)}

    def apply(self, headers: Headers) -> list[Header]:
        if self._renamed:
            taken = {_plain(self._renamed[name]) for name, _ in headers if name in self._renamed}
            headers = [
                (self._renamed.get(name, name), value)
                for name, value in headers
                if name in self._renamed or _plain(name) not in taken
            ]
        return [header for header in headers if _plain(header[0]) not in self._removed] + self._set


def change_of(rule: HeaderRule | None) -> HeaderChange | None:
    return HeaderChange(rule) if rule is not None else None


def problems(path: str, rule: HeaderRule | None) -> list[str]:
    """What is wrong with it, as `path: problem`."""
    if rule is None:
        return []
    found = [
        f"{path}.set.{name}: {value!r} is no header value"
        for name, value in rule.set.items()
        if not _VALUE.fullmatch(value) or value != value.strip()
    ]
    found += _names(f"{path}.set", rule.set)
    found += _names(f"{path}.rename", (name for both in rule.rename.items() for name in both))
    found += _names(f"{path}.remove", rule.remove)
    targets = [_low(new) for new in rule.rename.values()]
    if len(set(targets)) < len(targets):
        found.append(f"{path}.rename: two headers would get one name")
    return found


def sent_problems(path: str, headers: Mapping[str, Secret]) -> list[str]:
    """What is wrong with headers that are sent to a service for it alone. No value is told."""
    found = []
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or _plain(_low(name)) in _FRAMES:
            found.append(f"{path}: {name!r} is no header name, or frames a message")
        if not _VALUE.fullmatch(value.reveal()):
            found.append(f"{path}.{name}: this is no header value")
    return found


def _names(path: str, names: Iterable[str]) -> list[str]:
    found = []
    for name in names:
        if not _NAME.fullmatch(name):
            found.append(f"{path}: {name!r} is no header name")
        elif _untouchable(_low(name)):
            found.append(
                f"{path}: {name!r} says who somebody is or frames a message: only the edge writes it"
            )
    return found


def _untouchable(name: bytes) -> bool:
    name = _plain(name)
    return name in _FRAMES or name in _OURS or name in guard.CREDENTIALS or guard.claims_identity(name)


def _low(name: str) -> bytes:
    return name.lower().encode("latin-1")


def _plain(name: bytes) -> bytes:
    return name.replace(b"_", b"-")
