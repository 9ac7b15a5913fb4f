"""Whom an identity provider's claims make: names that fit ours, or a refusal. Nothing is guessed."""

from collections.abc import Collection
from typing import Any

from shared.errors import Unauthenticated
from shared.identity.issuer import NAME, PLACE, TENANT, Claim, Issuer, Mapping, Roles
from shared.identity.jws import Claims
from shared.identity.narrow import NOTHING, Scope
from shared.identity.principal import Principal

_MOST_PATTERNS = 64
_LONGEST_PATTERN = 256
_KINDS = ("model:", "tool:", "prompt:", "resource:", "agent:", "route:", "admin:")
_ANY = "*"


def principal(claims: Claims, issuer: Issuer, reserved: Collection[str] = ()) -> Principal:
    """Who the bearer of verified `claims` is. A tenant of `reserved` counts only where the mapping names it.
    Raises Unauthenticated.
    """
    for name, wanted in issuer.require.items():
        if not _has(claims, name, wanted):
            raise Unauthenticated(f"this token's claim {name} is not what is required here")
    mapping = next((one for one in issuer.principals if _fits(claims, one)), None)
    if mapping is None:
        raise Unauthenticated("this token is valid, but nobody who is known here has one like it")
    return Principal(
        sub=_sub(claims, mapping.sub),
        tenant=_tenant(claims, mapping.tenant, reserved),
        team=_value(claims, mapping.team, "team"),
        project=_value(claims, mapping.project, "project"),
        tier=_value(claims, mapping.tier, "tier"),
        scope=_scope(claims, mapping.scope),
        roles=_roles(claims, mapping.roles),
    )


def _fits(claims: Claims, mapping: Mapping) -> bool:
    return all(_has(claims, name, wanted) for name, wanted in mapping.when.items())


def _has(claims: Claims, name: str, wanted: str) -> bool:
    found = _found(claims, name)
    if wanted == _ANY:
        return found not in (None, "", [])
    return wanted in map(_text, found if isinstance(found, list) else [found])


def _sub(claims: Claims, template: str) -> str:
    kind, _, pattern = template.partition(":")
    name, *parts = PLACE.split(pattern)
    for number in range(0, len(parts), 2):
        place, after = parts[number : number + 2]
        filled = _filled(claims, place)
        # Two claims must not make the name that two others make: {a}.{b} of x.y and z, or of x and y.z.
        if number + 2 < len(parts) and (filled + after).find(after) != len(filled):
            raise Unauthenticated(f"this token's claim {place} holds what ends it in a name: {after!r}")
        name += filled + after
    return f"{kind}:{_check(name, 'sub')}"


def _filled(claims: Claims, place: str) -> str:
    filled = _text(_found(claims, place))
    if place == "email":
        # One mailbox, however it is spelled; and never one that its owner has only claimed to have.
        if "email_verified" in claims and _text(claims["email_verified"]).lower() != "true":
            raise Unauthenticated("this token's email address has not been verified by its issuer")
        filled = filled.lower()
    return _check(filled, place)


def _tenant(claims: Claims, rule: Claim, reserved: Collection[str]) -> str:
    tenant = _value(claims, rule, "tenant")
    if not TENANT.fullmatch(tenant):
        raise Unauthenticated(f"this token's claim {rule.claim} is no tenant's name here")
    if tenant in reserved and tenant not in rule.allow and tenant != rule.default:
        raise Unauthenticated("this token's tenant is none that its issuer may speak for")
    return tenant


def _value(claims: Claims, rule: Claim, member: str) -> str:
    found = _found(claims, rule.claim) if rule.claim else None
    if found is None or found == []:
        if rule.default is None:
            raise Unauthenticated(f"this token lacks the claim {rule.claim}, which names the {member}")
        return rule.default
    values = [_text(one) for one in found] if isinstance(found, list) else [_text(found)]
    if rule.allow:
        taken = next((allowed for allowed in rule.allow if allowed in values), None)
        if taken is None:
            raise Unauthenticated(f"this token's claim {rule.claim} has no value that is accepted here")
        return taken
    if len(values) != 1:
        raise Unauthenticated(f"this token's claim {rule.claim} has several values: one must be chosen")
    return _check(values[0], rule.claim)


def _scope(claims: Claims, name: str) -> Scope:
    """What narrows the caller. A claim without a pattern of ours leaves nothing: () would narrow nothing."""
    if not name:
        return ()
    found = _found(claims, name)
    entries = found.split() if isinstance(found, str) else found
    if not isinstance(entries, list):
        raise Unauthenticated(f"this token lacks the claim {name}, which names its scope")
    patterns = [one for one in entries if isinstance(one, str) and one.startswith(_KINDS)]
    if len(patterns) > _MOST_PATTERNS or any(not _pattern(one) for one in patterns):
        raise Unauthenticated(f"this token's claim {name} has patterns that are not accepted here")
    return tuple(dict.fromkeys(patterns)) or NOTHING


def _roles(claims: Claims, rule: Roles | None) -> tuple[str, ...]:
    if rule is None:
        return ()
    found = _found(claims, rule.claim)
    values = found.split() if isinstance(found, str) else found
    if not isinstance(values, list):
        return ()
    held = {one for one in values if isinstance(one, str)}
    return tuple(dict.fromkeys(role for value, role in rule.give.items() if value in held))


def _pattern(text: str) -> bool:
    return len(text) <= _LONGEST_PATTERN and text.isascii() and text.isprintable() and " " not in text


def _found(claims: Claims, path: str) -> Any:
    """The claim of this name, or the one that the path leads to; None where there is none."""
    return _step(claims, path.split("."))


def _step(found: Any, steps: list[str]) -> Any:
    """Names may have dots themselves (`kubernetes.io`): the longest that is there is meant."""
    if not steps:
        return found
    if isinstance(found, dict):
        for taken in range(len(steps), 0, -1):
            name = ".".join(steps[:taken])
            if name in found:
                return _step(found[name], steps[taken:])
    return None


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""


def _check(text: str, claim: str) -> str:
    if not NAME.fullmatch(text):
        raise Unauthenticated(f"this token's claim {claim} is missing, or no name that is accepted here")
    return text
