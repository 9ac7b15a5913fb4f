"""How far an agent's card can be believed: who signed it, whether it is the one that was approved, and what
has changed since. Pure: what follows from that is decided by who asks.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from shared.identity.detached import TrustedKey, signer_of
from shared.identity.jcs import canonical

Card = dict[str, Any]
_MOST_SIGNATURES = 8
_MOST_CHANGES = 50
_SHOWN = 120
# Members of A2A 1.0. SDKs put those of 0.3 beside them when they serve a card, after it was signed.
_MEMBERS = frozenset(
    (
        *("name", "description", "supportedInterfaces", "provider", "version", "documentationUrl"),
        *("capabilities", "securitySchemes", "securityRequirements", "defaultInputModes"),
        *("defaultOutputModes", "skills", "iconUrl"),
    )
)


class Trusted(Struct, frozen=True):
    """`content` is what may be relied upon: of a signed card only what its signature covers. `kid` names the
    key, "" where nobody signed. `pin` is the hash of the content.
    """

    content: Card
    kid: str
    pin: str
    signed: bool = False


def trusted(card: Card, keys: Sequence[TrustedKey]) -> Trusted:
    """`card` as far as `keys` vouch for it. Raises ValueError for one that has no canonical form.

    A signature counts only if one of `keys` made it: where its header says to get another from (`jku`, `x5u`,
    `jwk`) is never asked.
    """
    for content in _readings(card) if keys else ():
        payload = canonical(content)
        for protected, signature in _signatures(card):
            key = signer_of(protected, signature, payload, keys)
            if key is not None:
                return Trusted(content, key.kid, _hash(payload), signed=True)
    content = _cleaned(_unsigned(card)) or {}
    return Trusted(_unsigned(card), "", _hash(canonical(content)))


def changes(before: Card, after: Card) -> list[str]:
    """What has changed from one card to the next, in lines for a person: `skills[0].id: "a" -> "b"`."""
    found = list(_differences("", _cleaned(_unsigned(before)) or {}, _cleaned(_unsigned(after)) or {}))
    more = len(found) - _MOST_CHANGES
    return found[:_MOST_CHANGES] + ([f"and {more} more"] if more > 0 else [])


def payload_of(card: Card) -> bytes:
    """What a signature over `card` is taken of: the canonical form of what readers of A2A 1.0 make of it."""
    return canonical(_cleaned(_of_1_0(_unsigned(card))) or {})


def _readings(card: Card) -> Iterator[Card]:
    """What a signer may have had before it, most of it first. Each leaves out what the next reader adds."""
    whole = _unsigned(card)
    yield whole
    yield _cleaned(whole) or {}
    yield _cleaned(_of_1_0(whole)) or {}


def _of_1_0(card: Card) -> Card:
    kept = {name: value for name, value in card.items() if name in _MEMBERS}
    if isinstance(schemes := kept.get("securitySchemes"), dict):
        kept["securitySchemes"] = {name: _scheme(value) for name, value in schemes.items()}
    if isinstance(capabilities := kept.get("capabilities"), dict):
        kept["capabilities"] = {k: v for k, v in capabilities.items() if k != "stateTransitionHistory"}
    if isinstance(skills := kept.get("skills"), list):
        kept["skills"] = [_without(skill, "security") for skill in skills]
    return kept


def _scheme(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: each for name, each in value.items() if name.endswith("SecurityScheme")}


def _without(value: Any, name: str) -> Any:
    return {k: v for k, v in value.items() if k != name} if isinstance(value, dict) else value


def _unsigned(card: Card) -> Card:
    return {name: value for name, value in card.items() if name != "signatures"}


def _cleaned(value: Any, depth: int = 0) -> Any:
    """Without what is empty, which A2A's data model knows as absent; None where all is gone."""
    if depth > 64:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict):
        members = ((name, _cleaned(each, depth + 1)) for name, each in value.items())
        return {name: each for name, each in members if each is not None} or None
    if isinstance(value, list):
        return [each for item in value if (each := _cleaned(item, depth + 1)) is not None] or None
    return None if value == "" else value


def _signatures(card: Card) -> list[tuple[str, str]]:
    given = card.get("signatures")
    listed = given[:_MOST_SIGNATURES] if isinstance(given, list) else []
    found = [(s.get("protected"), s.get("signature")) for s in listed if isinstance(s, dict)]
    return [(p, s) for p, s in found if isinstance(p, str) and isinstance(s, str)]


def _differences(place: str, before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            where = f"{place}.{name}" if place else name
            yield from _differences(where, before.get(name, _NONE), after.get(name, _NONE))
    elif isinstance(before, list) and isinstance(after, list):
        for number in range(max(len(before), len(after))):
            old = before[number] if number < len(before) else _NONE
            new = after[number] if number < len(after) else _NONE
            yield from _differences(f"{place}[{number}]", old, new)
    elif type(before) is not type(after) or before != after:
        yield f"{place}: {_shown(before)} -> {_shown(after)}"


class _None:
    """What is not there."""


_NONE = _None()


def _shown(value: Any) -> str:
    if isinstance(value, _None):
        return "nothing"
    text = canonical(value).decode()
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _hash(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()
